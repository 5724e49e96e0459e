"""NumPy's .npz: a zip of arrays. Pickled objects are never loaded.

An array is unpacked to a nameless temporary file and read from there by slices, so that a large
one never stands in memory.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy

from badrepair.data.keys import choose_keys, true_label_key
from badrepair.data.raw import RawData
from badrepair.data.rows import FileRows, spooled
from badrepair.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from badrepair.views import Array, Images

MAGIC = b"PK\x03\x04"
_SUFFIX = ".npy"
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def recognises(path: Path) -> bool:
    """Return whether the file begins as a zip."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read(path: Path, *, image_key: str | None = None, label_key: str | None = None) -> RawData:
    """Return the arrays of an .npz file; the images are read by slices."""
    with _reading(path), zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(_SUFFIX) for name in archive.namelist()]
        image_key, label_key = choose_keys(names, image_key, label_key, path)
        return RawData(
            images=_array(archive, image_key, path),
            labels=_whole(archive, label_key, path),
            true_labels=_whole(archive, true_label_key(names), path),
        )


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as error:
        problem = f"cannot be read as .npz: {error}"
        raise DataError("Corrupt", path, problem, "is the file complete?") from error


def _whole(archive: zipfile.ZipFile, key: str | None, path: Path) -> Array | None:
    return None if key is None else _array(archive, key, path)[:]


def _array(archive: zipfile.ZipFile, key: str, path: Path) -> Images:
    member = archive.getinfo(key + _SUFFIX)
    with archive.open(member) as stream:
        shape, fortran, dtype = _header(stream, key, path)
        size = math.prod(shape) * dtype.itemsize
        stored = member.file_size - stream.tell()
        if size != stored:
            problem = f"{key} declares {size:,} bytes of values, the file holds {stored:,}"
            raise DataError("DataBomb", path, problem)
        rows = spooled(stream, size, path)
    if not fortran:
        return FileRows(rows, 0, dtype, shape, path)
    # Column after column: a row is scattered over the file, so the axes are turned around.
    with rows:
        return np.memmap(rows, dtype, "r", shape=shape, order="F")


def _header(stream: IO[bytes], key: str, path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    if version not in _HEADERS:
        raise DataError("Corrupt", path, f"{key} has the unknown .npy version {version}")
    shape, fortran, dtype = _HEADERS[version](stream)
    if dtype.hasobject:
        problem = f"{key} holds Python objects, which only unpickling could read"
        raise DataError("PickleRefused", path, problem, "save it as an array of numbers")
    if not shape:
        raise DataError("ShapeMismatch", path, f"{key} is a single value, expected an array")
    return shape, fortran, dtype
