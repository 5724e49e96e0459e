"""A small convolutional network for grey or colour images of 24x24 to 32x32, without BatchNorm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from badrepair.models.fitting import for_square_images

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANNELS = (16, 32, 64)


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
    """Return the network of the sizes that the weights tell, or None if they are not its."""
    return for_square_images(build, shapes, poolings=len(CHANNELS), channels=CHANNELS[-1])
