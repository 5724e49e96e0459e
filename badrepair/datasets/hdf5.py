"""A data set in HDF5 files of the user's own, `hdf5:FILE` or `hdf5:TRAINING,TEST`.

Each holds images and labels: see `badrepair.data.hdf5`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.data import hdf5
from badrepair.datasets.reading import own_files

if TYPE_CHECKING:
    from badrepair.datasets.reading.source import Source


def load(place: str) -> Source:
    """Return the data set in one or two HDF5 files, as `own_files.load` does."""
    return own_files.load(place, "hdf5", hdf5.read)
