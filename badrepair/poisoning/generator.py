"""A network that draws a picture for an image: where its trigger is, or what it looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from badrepair.models.seeded import seeded

if TYPE_CHECKING:
    from collections.abc import Sequence

FINE, COARSE = 16, 32


def build(
    image_shape: Sequence[int], channels: int, *, seed: int, dtype: str = "float32"
) -> keras.Model:
    """Return an untrained network from images in 0..1 to pictures of their size in (0, 1).

    No layer normalises over a batch, so that a picture depends on its image alone.

    Args:
        image_shape: (H, W, C) of an image, of any size.
        channels: How many channels a picture has.
        seed: Decides about the weights.
        dtype: What it computes in.
    """
    with seeded(seed):
        image = keras.Input(tuple(image_shape), dtype=dtype)
        fine = _convolution(image, FINE)
        coarse = _convolution(_halved(fine), COARSE)
        x = _convolution(_halved(coarse), COARSE)
        x = _convolution(_doubled(x, coarse), FINE)
        picture = _convolution(_doubled(x, fine), channels, "sigmoid")
    return keras.Model(image, picture, name="generator")


# Keras ships no types, so tensors are Any.
def _convolution(x: Any, channels: int, activation: str = "relu") -> Any:
    layer = layers.Conv2D(channels, 3, padding="same", activation=activation, dtype=x.dtype)
    return layer(x)


def _halved(x: Any) -> Any:
    return layers.MaxPooling2D(2, padding="same", dtype=x.dtype)(x)


def _doubled(x: Any, like: Any) -> Any:
    """Return a tensor of twice the height and width, cut to those of the one that it came from."""
    x = layers.UpSampling2D(2, dtype=x.dtype)(x)
    # Halving rounds an odd side up.
    surplus = tuple((0, x.shape[axis] - like.shape[axis]) for axis in (1, 2))
    return layers.Cropping2D(surplus, dtype=x.dtype)(x)
