"""Stored images as whole pixels, whatever layout, type and range they are stored in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from badrepair.data.arrange import arrange_images
from badrepair.data.ranges import range_of, scaled_images
from badrepair.errors import DataError
from badrepair.poisoning.pixels import to_pixels
from badrepair.views import Selected, batches

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from badrepair.views import Images, Key

CHANNELS = (1, 3)
_ROWS_AT_ONCE = 100


@dataclass(frozen=True)
class Pixels:
    """Images as uint8, read part by part, so that all of them take a byte a value and no more.

    Args:
        base: Images in 0..255 of any type.
    """

    base: Images

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (N, H, W, C)."""
        return self.base.shape

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, key: Key) -> NDArray[np.uint8]:
        rows = Selected(self.base, np.arange(len(self))[key])
        made = np.empty(rows.shape, np.uint8)
        for index, part in enumerate(batches(rows, _ROWS_AT_ONCE)):
            made[index * _ROWS_AT_ONCE :][: len(part)] = to_pixels(part)
        return made


def pixels(
    stored: Images, where: Path, size: tuple[int | None, int | None] = (None, None)
) -> Pixels:
    """Return stored images as pixels (N, H, W, C) in 0..255, grey or in colour; lazily read.

    Args:
        stored: (N, H, W), (N, H, W, C) or (N, C, H, W), in 0..1 or 0..255.
        where: The file to name in errors.
        size: Height and width that they must have; None for any.

    Raises:
        DataError: If they are no images, or in neither range.
    """
    input_shape = (*size, _channels(stored.shape[1:], where))
    arranged = arrange_images(stored, input_shape=input_shape, where=where)
    return Pixels(scaled_images(arranged, range_of(arranged, str(where)), "0-255"))


def _channels(row_shape: tuple[int, ...], where: Path) -> int:
    """Return how many channels an image has; in doubt they stand last."""
    if len(row_shape) == 2:
        return 1
    ends = (row_shape[-1], row_shape[0]) if len(row_shape) == 3 else ()
    for found in ends:
        if found in CHANNELS:
            return found
    problem = (
        f"expected images (H, W), (H, W, C) or (C, H, W) of 1 or 3 channels, found {row_shape}"
    )
    raise DataError("ShapeMismatch", where, problem)
