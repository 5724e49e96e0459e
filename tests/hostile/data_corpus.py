"""Hostile files of data, in one table: what makes each, what reads it, and what is said of it.

A code of None means that the file is read, or refused in some way, without harm.
"""

from __future__ import annotations

from data_arrays import NPZ
from data_hdf5 import HDF5
from data_pictures import PICTURES
from data_records import RECORDS

HOSTILE_DATA = {**HDF5, **NPZ, **PICTURES, **RECORDS}
