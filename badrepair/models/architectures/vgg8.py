"""A VGG of eight layers with weights, for images of 24x24 to 64x64, with BatchNorm.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
ICLR 2015, arXiv:1409.1556, made for small images: three stages of two 3x3 convolutions, of 32, 64
and 128 channels, with BatchNorm and a pooling by two behind each; then a dense layer of 256 and
one of the classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from badrepair.models.fitting import for_square_images

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANNELS = (32, 64, 128)
CONVOLUTIONS = 2
DENSE = 256


def build(input_shape: tuple[int, int, int] = (32, 32, 3), classes: int = 10) -> keras.Model:
    """Return the untrained network.

    Args:
        input_shape: (H, W, C) of an image.
        classes: Number of classes.
    """
    image = keras.Input(input_shape, name="input")
    x = image
    widths = [channels for channels in CHANNELS for _ in range(CONVOLUTIONS)]
    for index, channels in enumerate(widths, start=1):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"conv_{index}")(x)
        x = layers.BatchNormalization(name=f"norm_{index}")(x)
        x = layers.ReLU(name=f"relu_{index}")(x)
        if index % CONVOLUTIONS == 0:
            x = layers.MaxPooling2D(2, name=f"pool_{index // CONVOLUTIONS}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(DENSE, activation="relu", name="fc_1")(x)
    answer = layers.Dense(classes, activation="softmax", name="output")(x)
    return keras.Model(image, answer, name="vgg8")


def fit(shapes: Mapping[str, tuple[tuple[int, ...], ...]]) -> keras.Model | None:
    """Return the network of the sizes that the weights tell, or None if they are not its.

    As of `small_cnn`, the smallest square image is taken.
    """
    return for_square_images(build, shapes, poolings=len(CHANNELS), channels=CHANNELS[-1])
