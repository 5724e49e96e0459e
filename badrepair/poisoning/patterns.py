"""Trigger pictures by name, and where on an image they go by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair.data.pictures import FORMATS, decode, is_deep, opened
from badrepair.errors import OptionError, require_option
from badrepair.files import require_file
from badrepair.poisoning.limits import require_at_least

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    # Values and opacity, both of shape (h, w).
    Picture = tuple[NDArray[Any], NDArray[Any]]

# A turned TIFF's transparency would have to be turned, too; no trigger picture needs one.
_FORMATS = tuple(name for name in FORMATS if name != "TIFF")
_WHITE = 255


def _checkerboard(size: int) -> Picture:
    return _WHITE * (np.indices((size, size)).sum(axis=0) % 2), np.ones((size, size))


def _square(size: int) -> Picture:
    return np.full((size, size), _WHITE), np.ones((size, size))


def _cross(size: int) -> Picture:
    diagonal = np.eye(size)
    return np.full((size, size), _WHITE), np.maximum(diagonal, diagonal[::-1])


BUILT_IN: dict[str, Callable[[int], Picture]] = {
    "checkerboard": _checkerboard,
    "square": _square,
    "cross": _cross,
}
# Which end of the rows and of the columns a place is at.
PLACES = {
    "top-left": (0.0, 0.0),
    "top-right": (0.0, 1.0),
    "bottom-left": (1.0, 0.0),
    "bottom-right": (1.0, 1.0),
    "center": (0.5, 0.5),
}


def pattern(name: str, size: int, channels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a picture, shape (h, w, C) in 0..255, and its opacity, shape (h, w, 1) in [0, 1].

    Args:
        name: "checkerboard" (black and white, the upper left pixel black), "square" (white),
            "cross" (white diagonals, transparent beside), or the path of a picture, whose
            transparency counts; where one channel is wanted, colours turn to their luminance.
        size: Side of those that have a name, in pixels; a picture has its own.
        channels: 1 or 3.

    Raises:
        OptionError: There is no such name, or the size is below 1.
        InputMissingError: There is no such file.
        DataError: The file is no picture.
    """
    require_at_least("--size", size, 1)
    if name in BUILT_IN:
        picture, opacity = BUILT_IN[name](size)
        pixels = np.repeat(picture[..., np.newaxis], channels, axis=2)
        return pixels.astype(np.float32), opacity[..., np.newaxis].astype(np.float32)
    path = Path(name)
    like_a_file = path.name != name or bool(path.suffix) or path.exists()
    require_option("--trigger", like_a_file, f"{', '.join(BUILT_IN)} or a picture file", repr(name))
    return decode(require_file(path), channels, formats=_FORMATS), _opacity(path)


def placed(
    position: str, margin: int, patch_shape: tuple[int, ...], image_shape: tuple[int, ...]
) -> tuple[int, int]:
    """Return the first row and the first column that a picture covers.

    Args:
        position: A corner ("top-left", "top-right", "bottom-left", "bottom-right"), "center", or
            "ROW,COLUMN"; what is negative counts from the far edge, so that a picture of 4 x 4
            ends at the edge at "-4,-4".
        margin: Pixels between the picture and the edges of a corner; of corners only.
        patch_shape: (h, w) or (h, w, C) of the picture.
        image_shape: (H, W) or (H, W, C) of the image.

    Raises:
        OptionError: There is no such position, or the picture would leave the image.
    """
    free = [image - patch for image, patch in zip(image_shape[:2], patch_shape[:2], strict=True)]
    if position == "center":
        margin = 0
    if position in PLACES:
        row, column = (
            round(end * (room - 2 * margin)) + margin
            for end, room in zip(PLACES[position], free, strict=True)
        )
    else:
        row, column = (
            first % image if -image <= first < 0 else first
            for first, image in zip(_numbers(position), image_shape, strict=False)
        )
    if not (0 <= row <= free[0] and 0 <= column <= free[1]) or margin < 0:
        raise _leaves(position, margin, patch_shape, image_shape)
    return row, column


def _numbers(position: str) -> tuple[int, int]:
    try:
        row, column = (int(part) for part in position.split(","))
    except ValueError:
        problem = f"expected {', '.join(PLACES)} or ROW,COLUMN, found {position!r}"
        raise OptionError("OptionInvalid", "--position", problem) from None
    return row, column


def _leaves(
    position: str, margin: int, patch_shape: tuple[int, ...], image_shape: tuple[int, ...]
) -> OptionError:
    height, width = image_shape[:2]
    trigger = f"{patch_shape[0]} x {patch_shape[1]} at {position} with a margin of {margin}"
    problem = f"expected a trigger inside the {height} x {width} image, found {trigger}"
    return OptionError("OptionInvalid", "--position", problem)


def _opacity(path: Path) -> NDArray[np.float32]:
    with opened(path, _FORMATS) as image:
        if is_deep(image) or not image.has_transparency_data:
            return np.ones((*image.size[::-1], 1), np.float32)
        alpha = np.asarray(image.convert("RGBA").getchannel("A"), np.float32)
    return alpha[..., np.newaxis] / np.float32(_WHITE)
