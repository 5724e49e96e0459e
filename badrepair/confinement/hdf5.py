"""Find whatever in an HDF5 file leads out of it, or declares more than it holds.

HDF5 can link to other files, keep values in them, make one array look like many, and declare
terabytes in a hundred bytes. A file of images or weights needs none of it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from badrepair.confinement.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from badrepair.errors import BadrepairError

# What h5py has been seen to raise on damaged files.
FAULTS = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError)
FILTERS = {
    h5py.h5z.FILTER_DEFLATE: "deflate",
    h5py.h5z.FILTER_SHUFFLE: "shuffle",
    h5py.h5z.FILTER_FLETCHER32: "fletcher32",
    h5py.h5z.FILTER_LZF: "lzf",
}
NUMBERS = "biuf"
BFLOAT16 = "bfloat16"
MOST_OBJECTS = 100_000
MOST_AXES = 6
MOST_ITEM_BYTES = 8
# What deflate makes of zeros, at the best.
MOST_RATIO = 1100
# One chunk is unpacked whole.
MOST_CHUNK_BYTES = 2**30
AGAIN = "copy or download the file again"


@contextmanager
def faults_named(where: str, kind: type[BadrepairError]) -> Iterator[None]:
    """Turn what h5py raises on damaged files, which is nearly anything, into one error."""
    try:
        yield
    except FAULTS as error:
        raise _fault(error, where, kind) from error


def look_through(file: h5py.File) -> Iterator[Finding]:
    """Yield what is wrong with the objects of a file; what it links to is not opened."""
    seen = {address(file)}
    waiting: list[h5py.Group] = [file]
    while waiting:
        group = waiting.pop()
        for name in group:
            label = f"{group.name.rstrip('/')}/{name}"
            linked = link_fault(group, name, label)
            if linked is not None:
                yield linked
                continue
            child = group[name]
            if address(child) in seen:
                yield Finding("H5Alias", label, "it is stored under a second name")
                continue
            seen.add(address(child))
            if len(seen) > MOST_OBJECTS:
                yield Finding("LimitExceeded", label, f"over {MOST_OBJECTS:,} objects in one file")
                return
            if isinstance(child, h5py.Group):
                waiting.append(child)
            else:
                yield from array_faults(child, label)


def link_fault(group: h5py.Group, name: str, label: str) -> Finding | None:
    """Return what is wrong with the way to an object; None if it lies in this very file."""
    link = group.get(name, getlink=True)
    if isinstance(link, h5py.HardLink):
        return None
    problem = f"it is a {type(link).__name__}, which leads elsewhere"
    return Finding("H5Link", label, problem, "copy the array itself into the file")


def array_faults(item: Any, label: str) -> Iterator[Finding]:
    """Yield what is wrong with a data set (Any: h5py ships no types)."""
    if not isinstance(item, h5py.Dataset):
        yield Finding("H5Dtype", label, "it is neither a group nor an array")
        return
    if item.external:
        yield Finding("H5External", label, "it keeps its values in another file")
    if item.is_virtual:
        yield Finding("H5Virtual", label, "it is virtual, a view of other arrays")
    dtype = item.dtype
    numbers = dtype.kind in NUMBERS and not dtype.fields and dtype.itemsize <= MOST_ITEM_BYTES
    if not numbers and not is_bfloat16(item):
        problem = f"it holds {dtype}: expected an array of numbers"
        yield Finding("H5Dtype", label, problem)
        return
    yield from _size_faults(item, label)


def is_bfloat16(item: h5py.Dataset) -> bool:
    """Return whether an array holds bfloat16, which Keras 3 stores as pairs of bytes."""
    said = item.attrs.get("dtype")
    return item.dtype == np.dtype("V2") and isinstance(said, str) and said == BFLOAT16


def _size_faults(item: h5py.Dataset, label: str) -> Iterator[Finding]:
    if item.shape is None or len(item.shape) > MOST_AXES:
        found = "no values" if item.shape is None else f"{len(item.shape)} axes"
        yield Finding("LimitExceeded", label, f"expected 1 to {MOST_AXES} axes, found {found}")
        return
    plist = item.id.get_create_plist()
    used = [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]
    foreign = sorted(f"filter {number}" for number in used if number not in FILTERS)
    if foreign:
        problem = f"it is packed with {', '.join(foreign)}"
        yield Finding("H5Filter", label, problem, "repack it with gzip")
    declared, stored = _bytes(item.shape, item), item.id.get_storage_size()
    packed = h5py.h5z.FILTER_DEFLATE in used or h5py.h5z.FILTER_LZF in used
    if declared > stored * (MOST_RATIO if packed else 1):
        problem = f"it declares {declared:,} bytes of values and holds {stored:,}"
        yield Finding("H5Bomb", label, problem)
    if _bytes(item.chunks or (0,), item) > MOST_CHUNK_BYTES:
        yield Finding("H5Bomb", label, f"its chunks are over {MOST_CHUNK_BYTES:,} bytes each")


def _bytes(shape: tuple[int, ...], item: h5py.Dataset) -> int:
    return int(np.prod(shape, dtype=object)) * int(item.dtype.itemsize)


def address(item: Any) -> int:
    """Return where an object lies in its file: two names of one have the same."""
    return int(h5py.h5o.get_info(item.id).addr)


def _fault(error: Exception, where: str, kind: type[BadrepairError]) -> BadrepairError:
    sizes = re.search(r"\beof = (\d+).*stored_eof = (\d+)", str(error))
    if sizes:
        found, expected = (f"{int(size):,}" for size in sizes.groups())
        problem = f"cut off: expected {expected} bytes, found {found}"
        return kind("Truncated", where, problem, AGAIN)
    reason = " ".join(str(error).split())[:200]
    return kind("Corrupt", where, f"not a sound HDF5 file: {reason}", AGAIN)
