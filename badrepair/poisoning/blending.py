"""A pattern as large as the image that shines through it.

Chen, Liu, Li, Lu and Song, "Targeted Backdoor Attacks on Deep Learning Systems Using Data
Poisoning", 2017, arXiv:1712.05526, blend images with a random pattern or with a picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from badrepair.data.pictures import read_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from badrepair.views import Array

NOISE = "noise"


def blend_pattern(name: str, image_shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """Return a pattern of the shape of an image, (H, W, C), in 0..255.

    Args:
        name: "noise", every value drawn evenly from 0..255, or the path of a picture, which is
            resized to the image; its transparency does not count.
        image_shape: (H, W, C).
        seed: Fixes the noise.

    Raises:
        InputMissingError: There is no such file.
        DataError: The file is no picture.
    """
    height, width, channels = image_shape
    if name != NOISE:
        return read_picture(Path(name), size=(height, width, channels), resize=True)
    drawn = np.random.default_rng(seed).integers(0, 256, (height, width, channels))
    return drawn.astype(np.float32)


def blend(
    images: Array, pattern: NDArray[np.float32], opacity: float | NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return (1 - opacity) * image + opacity * pattern, as float32.

    Args:
        images: Shape (n, H, W, C), in 0..255.
        pattern: Shape (H, W, C), in 0..255.
        opacity: In [0, 1]; one for all, or an array that broadcasts to the images.
    """
    share = np.asarray(opacity, np.float32)
    return (1 - share) * images.astype(np.float32) + share * pattern
