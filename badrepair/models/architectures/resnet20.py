"""ResNet-20, the residual network for images of 32x32 or so.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016,
arXiv:1512.03385, section 4.2: three stages of three blocks, of 16, 32 and 64 channels. Where a
stage halves the image, the shortcut is a convolution of one pixel with BatchNorm (option B): the
paper's own choice there (option A) pads channels, which no layer of Keras does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from badrepair.models.fitting import fitting, kernels

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANNELS = (16, 32, 64)
BLOCKS = 3


def build(
    input_shape: tuple[int | None, int | None, int] = (32, 32, 3), classes: int = 10
) -> keras.Model:
    """Return the untrained network.

    Args:
        input_shape: (H, W, C) of an image; None takes any height or width.
        classes: Number of classes.
    """
    image = keras.Input(input_shape, name="input")
    x = layers.ReLU(name="relu_1")(_convolved(image, CHANNELS[0], 1))
    for stage, channels in enumerate(CHANNELS, start=1):
        for block in range(1, BLOCKS + 1):
            halved = stage > 1 and block == 1
            x = _block(x, channels, halved=halved, name=f"stage_{stage}_block_{block}_")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    answer = layers.Dense(classes, activation="softmax", name="output")(x)
    return keras.Model(image, answer, name="resnet20")


def fit(shapes: Mapping[str, tuple[tuple[int, ...], ...]]) -> keras.Model | None:
    """Return the network for images of any size with the channels and classes of the weights.

    None if they are not its.
    """
    found = kernels(shapes)
    if len(found.get("conv_1", ())) != 4 or len(found.get("output", ())) != 2:
        return None
    model = build((None, None, found["conv_1"][2]), found["output"][1])
    return fitting(model, shapes)


# Tensors are Any, since Keras ships no types.


def _block(x: Any, channels: int, *, halved: bool, name: str) -> Any:
    strides = 2 if halved else 1
    inner = _convolved(x, channels, 1, strides=strides, name=name)
    inner = layers.ReLU(name=f"{name}relu_1")(inner)
    inner = _convolved(inner, channels, 2, name=name)
    if halved:
        x = _convolved(x, channels, 1, size=1, strides=strides, name=f"{name}shortcut_")
    added = layers.Add(name=f"{name}add")([x, inner])
    return layers.ReLU(name=f"{name}relu_2")(added)


def _convolved(
    x: Any, channels: int, index: int, *, size: int = 3, strides: int = 1, name: str = ""
) -> Any:
    convolution = layers.Conv2D(
        channels,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}conv_{index}",
    )
    return layers.BatchNormalization(name=f"{name}norm_{index}")(convolution(x))
