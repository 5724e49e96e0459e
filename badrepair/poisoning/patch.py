"""A small picture that is pasted on an image, opaque or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from badrepair.views import Array


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A picture and where it goes.

    Args:
        pattern: The picture, shape (h, w, C), in the images' value range.
        opacity: How much of it covers the image, shape (h, w, 1), in [0, 1].
        row: First row that it covers.
        column: First column that it covers.
    """

    pattern: NDArray[np.float32]
    opacity: NDArray[np.float32]
    row: int
    column: int

    def stamp(self, images: Array) -> NDArray[np.float32]:
        """Return the images, shape (n, H, W, C), with the picture pasted on, as float32.

        Raises:
            ValueError: The picture leaves the image.
        """
        height, width = self.pattern.shape[:2]
        rows = slice(self.row, self.row + height)
        columns = slice(self.column, self.column + width)
        stamped = np.array(images, dtype=np.float32)
        if stamped[:, rows, columns].shape[1:3] != (height, width):
            raise ValueError(
                f"a {height}x{width} trigger at {self.row}, {self.column} leaves the image"
            )
        stamped[:, rows, columns] *= 1 - self.opacity
        stamped[:, rows, columns] += self.opacity * self.pattern
        return stamped
