"""A data set in NumPy archives of the user's own, `npz:FILE` or `npz:TRAINING,TEST`.

Each holds images and labels: see `badrepair.data.npz`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.data import npz
from badrepair.datasets.reading import own_files

if TYPE_CHECKING:
    from badrepair.datasets.reading.source import Source


def load(place: str) -> Source:
    """Return the data set in one or two archives, as `own_files.load` does."""
    return own_files.load(place, "npz", npz.read)
