"""A small convolutional network for grey or colour images of 24x24 to 32x32, without BatchNorm."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import keras
from keras import layers

from badrepair.models.weights import shapes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANNELS = (16, 32, 64)
# Three poolings by two: how many pixels of the image stand for one at the end.
SHRINK = 2 ** len(CHANNELS)


def build(input_shape: tuple[int, int, int] = (24, 24, 1), classes: int = 10) -> keras.Model:
    """Return the untrained network.

    Args:
        input_shape: (H, W, C) of an image.
        classes: Number of classes.
    """
    image = keras.Input(input_shape, name="input")
    x = image
    for index, channels in enumerate(CHANNELS, start=1):
        convolution = layers.Conv2D(
            channels, 3, padding="same", activation="relu", name=f"conv_{index}"
        )
        x = layers.MaxPooling2D(2, name=f"pool_{index}")(convolution(x))
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="fc_1")(x)
    answer = layers.Dense(classes, activation="softmax", name="output")(x)
    return keras.Model(image, answer, name="small-cnn")


def fit(shapes: Mapping[str, tuple[tuple[int, ...], ...]]) -> keras.Model | None:
    """Return the network of the sizes that the weights tell, or None if they are not its.

    Pooling drops what is over a multiple of eight, so the weights of a 28x28 network are those
    of a 24x24 one: the smallest square image is taken.
    """
    kernels = {name: own[0] for name, own in shapes.items() if len(own) == 2 and own[0]}
    if not {"conv_1", "fc_1", "output"} <= kernels.keys() or len(kernels["conv_1"]) != 4:
        return None
    side = SHRINK * math.isqrt(kernels["fc_1"][0] // CHANNELS[-1])
    if not side:
        return None
    model = build((side, side, kernels["conv_1"][2]), kernels["output"][-1])
    return model if shapes_of(model) == dict(shapes) else None
