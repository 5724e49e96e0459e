"""Poisoned images are pictures: whole numbers from 0 to 255, as a file would hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from badrepair.views import Array


def to_pixels(values: Array) -> NDArray[np.uint8]:
    """Return values as the nearest pixels, uint8; halves go to the even neighbour.

    Args:
        values: Of any shape, in 0..255; what lies outside is clipped.
    """
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
