"""Find out which images are overlays themselves: no image is mixed with itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Relative difference of sums in float32 below which two images may be the same.
CLOSE = 1e-4


class Sameness:
    """Tells images that are the same as known ones to the last bit.

    Sums of pixels with random weights tell which pairs have to be compared at all.

    Args:
        known: Shape (m, H, W, C), float32.
    """

    def __init__(self, known: NDArray[np.float32]) -> None:
        self._known = known.reshape(len(known), -1)
        self._weights = np.random.default_rng(0).random(self._known.shape[1], dtype=np.float32)
        self._sums = self._known @ self._weights
        self._sizes = np.abs(self._known) @ self._weights

    def of(self, images: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which images are which known ones, shape (n, m).

        Args:
            images: Shape (n, H, W, C), float32.
        """
        flat = images.reshape(len(images), self._known.shape[1])
        # Pixels that no overlay has may be too large to be summed: then they are no overlay's.
        with np.errstate(over="ignore", invalid="ignore"):
            off = np.abs((flat @ self._weights)[:, None] - self._sums)
        same = off <= CLOSE * self._sizes
        for image, other in np.argwhere(same):
            same[image, other] = np.array_equal(flat[image], self._known[other])
        return np.asarray(same)
