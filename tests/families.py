"""Networks that people use, untrained, with weights that neither die out nor explode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import layers
from networks import Graph

from badrepair.models.architectures import deepid, small_cnn

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = 4
RESNET_WIDTHS = (16, 32, 64)
RESNET_BLOCKS = 3


def normed(tensor, name):
    """Return a convolution's output behind its normalisation."""
    return layers.BatchNormalization(name=f"{name}_norm")(tensor)


def convolved(tensor, channels, name, *, size=3, strides=1, **options):
    return layers.Conv2D(
        channels, size, strides=strides, padding="same", use_bias=False, name=name, **options
    )(tensor)


def resnet20():
    """Return ResNet-20 for CIFAR with the activations behind the additions.

    He, Zhang, Ren and Sun, "Deep Residual Learning", CVPR 2016.
    """
    entry = keras.Input((32, 32, 3))
    tensor = layers.ReLU()(normed(convolved(entry, RESNET_WIDTHS[0], "stem"), "stem"))
    for stage, width in enumerate(RESNET_WIDTHS):
        for block in range(RESNET_BLOCKS):
            name, strides = f"s{stage}b{block}", 2 if stage and not block else 1
            inner = normed(convolved(tensor, width, f"{name}_1", strides=strides), f"{name}_1")
            inner = convolved(layers.ReLU()(inner), width, f"{name}_2")
            if strides > 1:
                short = f"{name}_short"
                tensor = normed(convolved(tensor, width, short, size=1, strides=2), short)
            tensor = layers.Add(name=f"{name}_add")([tensor, normed(inner, f"{name}_2")])
            tensor = layers.ReLU()(tensor)
    return headed(entry, tensor)


def resnet20_v2():
    """Return ResNet-20 with normalisation and activation in front of the convolutions.

    He, Zhang, Ren and Sun, "Identity Mappings in Deep Residual Networks", ECCV 2016.
    """
    entry = keras.Input((32, 32, 3))
    tensor = convolved(entry, RESNET_WIDTHS[0], "stem")
    for stage, width in enumerate(RESNET_WIDTHS):
        for block in range(RESNET_BLOCKS):
            name, strides = f"s{stage}b{block}", 2 if stage and not block else 1
            ahead = layers.ReLU()(normed(tensor, f"{name}_0"))
            inner = normed(convolved(ahead, width, f"{name}_1", strides=strides), f"{name}_1")
            inner = convolved(layers.ReLU()(inner), width, f"{name}_2")
            if strides > 1:
                tensor = convolved(ahead, width, f"{name}_short", size=1, strides=2)
            tensor = layers.Add(name=f"{name}_add")([tensor, inner])
    return headed(entry, layers.ReLU()(normed(tensor, "last")))


def headed(entry, tensor):
    tensor = layers.GlobalAveragePooling2D()(tensor)
    return keras.Model(entry, layers.Dense(CLASSES, "softmax", name="scores")(tensor))


def vgg():
    """Return five convolutions in three stages, without BatchNorm."""
    entry = tensor = keras.Input((32, 32, 3))
    for stage, (width, depth) in enumerate(((16, 1), (24, 2), (32, 2))):
        for index in range(depth):
            name = f"conv{stage}_{index}"
            tensor = layers.Conv2D(width, 3, padding="same", activation="relu", name=name)(tensor)
        tensor = layers.MaxPooling2D(2, name=f"pool{stage}")(tensor)
    tensor = layers.Dense(32, "relu", name="hidden")(layers.Flatten()(tensor))
    tensor = layers.Dropout(0.5)(tensor)
    return keras.Model(entry, layers.Dense(CLASSES, "softmax", name="scores")(tensor))


def application(build):
    return build(weights=None, input_shape=(32, 32, 3), classes=CLASSES)


@dataclass(frozen=True)
class Family:
    """A network, and by hand what pruning must find in it unasked.

    Args:
        build: Makes the network; weights are `livened`'s.
        layer: The last convolution.
        silent: The layer in whose output a pruned channel is exactly zero.
        norms: What would speak for a silent channel.
        stays: The layer that needs all channels of `layer`, where there is one.
        brightness: The images' values lie between 0 and this.
    """

    build: Callable[[], keras.Model]
    layer: str
    silent: str
    norms: tuple[str, ...] = ()
    stays: str = ""
    brightness: float = 1.0

    @property
    def graph(self):
        return Graph(self.build, "", self.silent, self.norms, self.layer)


SMALL = {
    "DeepID": Family(lambda: deepid.build(classes=12), "conv_4", "conv_4"),
    "small CNN": Family(lambda: small_cnn.build(classes=CLASSES), "conv_3", "pool_3"),
    "VGG": Family(vgg, "conv2_1", "pool2"),
    "ResNet-20": Family(resnet20, "s2b2_2", "s2b2_2_norm", ("s2b2_2_norm",), "s2b2_add"),
    "ResNet-20 v2": Family(resnet20_v2, "s2b2_2", "s2b2_2", (), "s2b2_add"),
}
LARGE = {
    "MobileNetV2": Family(
        lambda: application(keras.applications.MobileNetV2), "Conv_1", "out_relu", ("Conv_1_bn",)
    ),
    "ResNet50V2": Family(
        lambda: application(keras.applications.ResNet50V2),
        *("conv5_block3_3_conv", "conv5_block3_3_conv", (), "conv5_block3_out"),
    ),
    "EfficientNetB0": Family(
        lambda: application(keras.applications.EfficientNetB0),
        *("top_conv", "top_activation", ("top_bn",), "", 255.0),
    ),
}
FAMILIES = {**SMALL, **LARGE}


def pictures(family, count=24, seed=7):
    """Return images of four by four random patches for a family's network."""
    height, width, colours = family.build().input_shape[1:]
    patches = np.random.default_rng(seed).uniform(0, family.brightness, (count, 4, 4, colours))
    large = patches.repeat(-(-height // 4), axis=1).repeat(-(-width // 4), axis=2)
    return large[:, :height, :width].astype(np.float32)


def livened(model, images, seed=3):
    """Give the network random weights under which every layer's values are about one.

    The statistics of normalisations are those of the images, but not quite; on average, all
    classes have the same score.
    """
    random = np.random.default_rng(seed)
    for layer in model.layers:
        for weight in layer.trainable_weights:
            weight.assign(_values(layer, weight, random))
    calibrate(model, images)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            mean, variance = layer.moving_mean, layer.moving_variance
            # Normalised by less than their deviation, as trained networks are: otherwise a deep
            # one makes much of the last digit of its input.
            variance.assign((variance + mean**2) * random.uniform(0.8, 1.25, size=mean.shape))
            mean.assign(mean * random.uniform(0.3, 0.7, size=mean.shape))
    bias = model.layers[-1].bias
    bias.assign(bias - np.log(model(images).numpy() + 1e-9).mean(axis=0))
    return model


def calibrate(model, images):
    """Give normalisations the statistics of the images."""
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    for layer in twin.layers:
        # Nothing is dropped, so that the statistics are the same every time.
        for name in {"momentum", "rate"} & vars(layer).keys():
            setattr(layer, name, 0.0)
    twin(images, training=True)
    model.set_weights(twin.get_weights())


def _values(layer, weight, random):
    if isinstance(layer, layers.BatchNormalization):
        low, high = (0.5, 1.5) if "gamma" in weight.path else (-0.4, 0.4)
        return random.uniform(low, high, size=weight.shape)
    if len(weight.shape) == 1:
        return random.normal(scale=0.1, size=weight.shape)
    depthwise = isinstance(layer, layers.DepthwiseConv2D)
    inputs = np.prod(weight.shape[:2] if depthwise else weight.shape[:-1])
    return random.normal(scale=np.sqrt(2 / inputs), size=weight.shape)
