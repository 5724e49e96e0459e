"""Read the arrays of an HDF5 file; this runs in confinement."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from badrepair.confinement.hdf5 import address, array_faults, faults_named, link_fault
from badrepair.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_NAMES = 10_000


class DataReader:
    """The arrays of an HDF5 file.

    Args:
        descriptor: Of the open file.
        where: What to call it in errors.
    """

    def __init__(self, descriptor: int, where: str) -> None:
        self._where = where
        with faults_named(where, DataError):
            self._file = h5py.File(os.fdopen(descriptor, "rb"), "r")

    def answer(self, question: Mapping[str, Any]) -> tuple[Any, bytes | memoryview]:
        """Return the names of all arrays, what an array is, or some of its rows."""
        with faults_named(self._where, DataError):
            if question["do"] == "names":
                return self._names(), b""
            item = self._array(question["key"])
            if question["do"] == "array":
                return {"type": item.dtype.str, "shape": item.shape}, b""
            rows = np.ascontiguousarray(item[question["start"] : question["stop"]])
            return None, rows.data

    def _names(self) -> list[str]:
        """Return the names in the file itself, and those of arrays in groups."""
        names, seen = list(self._file), {address(self._file)}
        waiting: list[tuple[str, h5py.Group]] = [("", self._file)]
        while waiting and len(names) + len(seen) <= MOST_NAMES:
            before, group = waiting.pop()
            for name in group:
                if link_fault(group, name, name) is not None:
                    continue
                child = group[name]
                if isinstance(child, h5py.Dataset) and before:
                    names.append(f"{before}{name}")
                elif isinstance(child, h5py.Group) and address(child) not in seen:
                    seen.add(address(child))
                    waiting.append((f"{before}{name}/", child))
        return names

    def _array(self, key: str) -> h5py.Dataset:
        """Return an array that lies in this very file."""
        item: Any = self._file
        for part in key.split("/"):
            if not isinstance(item, h5py.Group) or part not in item:
                raise DataError("KeyMissing", self._where, f"{key} leads nowhere")
            linked = link_fault(item, part, key)
            if linked is not None:
                raise DataError(linked.code, self._where, linked.sentence, linked.hint)
            item = item[part]
        if isinstance(item, h5py.Group):
            raise DataError("KeyMissing", self._where, f"{key} is a group, not an array")
        for fault in array_faults(item, key):
            raise DataError(fault.code, self._where, fault.sentence, fault.hint)
        if not item.shape:
            raise DataError("H5Dtype", self._where, f"{key} is a single value, expected an array")
        return item
