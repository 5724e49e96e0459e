"""Read HDF5 files that somebody else wrote: no links out of them, no fault that is not named."""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from badrepair.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from badrepair.views import Array

# What h5py has been seen to raise on damaged files.
FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)
NUMBERS = "fiu"


@contextmanager
def opened(source: Path | bytes, where: Path) -> Iterator[h5py.File]:
    """Open HDF5 for reading; faults of the file inside the `with` block become ModelErrors.

    Args:
        source: A path, or the bytes of a file that lies inside another one.
        where: The file to name in errors.

    Raises:
        ModelError: Truncated, Corrupt, H5Link, H5Virtual or H5Alias.
    """
    try:
        with h5py.File(io.BytesIO(source) if isinstance(source, bytes) else source, "r") as file:
            _refuse_links(file, where)
            yield file
    except FAULTS as error:
        raise _fault(error, where) from error


def texts(group: h5py.Group, name: str) -> tuple[str, ...]:
    """Return a list of strings from an attribute, joined where Keras cut it into chunks."""
    if name in group.attrs:
        return tuple(text(value) for value in group.attrs[name])
    chunks: list[str] = []
    while (part := f"{name}{len(chunks)}") in group.attrs:
        chunks.append(part)
    return tuple(text(value) for part in chunks for value in group.attrs[part])


def text(value: Any) -> str:
    """Return a string attribute, which h5py gives as str or as bytes."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def numbers(dataset: h5py.Dataset, where: Path) -> Array:
    """Return the whole of a data set of real numbers.

    Raises:
        ModelError: H5Dtype if it holds something else.
    """
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in NUMBERS:
        found = getattr(dataset, "dtype", "a group")
        raise ModelError("H5Dtype", where, f"{dataset.name} should hold numbers, found {found}")
    return np.asarray(dataset[()])


def _refuse_links(file: h5py.File, where: Path) -> None:
    seen: set[int] = set()
    waiting: list[h5py.Group] = [file]
    while waiting:
        group = waiting.pop()
        for name in group:
            label = f"{group.name.rstrip('/')}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                kind = type(link).__name__
                raise ModelError("H5Link", where, f"{label} is a {kind}; a model file needs none")
            child = group[name]
            _refuse_foreign_data(child, label, where)
            address = h5py.h5o.get_info(child.id).addr
            if address in seen:
                raise ModelError("H5Alias", where, f"{label} is stored under a second name")
            seen.add(address)
            if isinstance(child, h5py.Group):
                waiting.append(child)


def _refuse_foreign_data(child: Any, label: str, where: Path) -> None:
    if not isinstance(child, h5py.Dataset):
        return
    if child.external:
        raise ModelError("H5Link", where, f"{label} keeps its numbers in another file")
    if child.is_virtual:
        raise ModelError("H5Virtual", where, f"{label} is a view of other data sets")


def _fault(error: Exception, where: Path) -> ModelError:
    sizes = re.search(r"\beof = (\d+).*stored_eof = (\d+)", str(error))
    again = "copy or download the file again"
    if sizes:
        found, expected = (f"{int(size):,}" for size in sizes.groups())
        problem = f"cut off: expected {expected} bytes, found {found}"
        return ModelError("Truncated", where, problem, again)
    reason = " ".join(str(error).split())[:200]
    return ModelError("Corrupt", where, f"not a sound HDF5 file: {reason}", again)
