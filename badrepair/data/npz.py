"""NumPy's .npz: a zip of arrays. Pickled objects are never loaded.

An array is unpacked to a nameless temporary file and read from there by slices, so that a large
one never stands in memory.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair import archives
from badrepair.data import npy
from badrepair.data.keys import choose_image_key, choose_keys, true_label_key
from badrepair.data.labels import require_few
from badrepair.data.raw import RawData
from badrepair.data.rows import FileRows, require_plausible, spooled
from badrepair.errors import DataError

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator
    from pathlib import Path

    from badrepair.views import Array, Images

MAGIC = b"PK\x03\x04"
_SUFFIX = ".npy"


def recognises(path: Path) -> bool:
    """Return whether the file begins as a zip."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read(path: Path, *, image_key: str | None = None, label_key: str | None = None) -> RawData:
    """Return the arrays of an .npz file; the images are read by slices."""
    with _opened(path) as archive:
        names = _names(archive)
        image_key, label_key = choose_keys(names, image_key, label_key, path)
        return RawData(
            images=_array(archive, image_key, path),
            labels=_whole(archive, label_key, path),
            true_labels=_whole(archive, true_label_key(names), path),
        )


def read_images(path: Path, *, image_key: str | None = None) -> Images:
    """Return the images of an .npz file, whether it has labels or not."""
    with _opened(path) as archive:
        return _array(archive, choose_image_key(_names(archive), image_key, path), path)


def _names(archive: zipfile.ZipFile) -> list[str]:
    found = archive.namelist()
    return [name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX)]


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with path.open("rb") as file, archives.opened(file) as archive:
            for name, problem in archives.faults(archive):
                shown = ascii(name)[1:-1][:80]
                raise DataError("ZipUnsafe", path, f"its member {shown} {problem}")
            yield archive
    except archives.FAULTS as error:
        problem = f"cannot be read as .npz: {error}"
        raise DataError("Corrupt", path, problem, "is the file complete?") from error


def _whole(archive: zipfile.ZipFile, key: str | None, path: Path) -> Array | None:
    if key is None:
        return None
    stored = _array(archive, key, path)
    require_few(stored.shape, stored.dtype, key, path)
    return stored[:]


def _array(archive: zipfile.ZipFile, key: str, path: Path) -> FileRows | np.memmap[Any, Any]:
    member = archive.getinfo(key + _SUFFIX)
    # The table of contents may claim more than there is in all.
    packed = min(member.compress_size, path.stat().st_size)
    require_plausible(member.file_size, packed, path)
    with archive.open(member) as stream:
        shape, fortran, dtype = npy.header(stream, key, path)
        size = math.prod(shape) * dtype.itemsize
        stored = member.file_size - stream.tell()
        if size != stored:
            problem = f"{key} declares {size:,} bytes of values, the file holds {stored:,}"
            raise DataError("DataBomb", path, problem)
        rows = spooled(stream, size, packed, path)
    if not fortran:
        return FileRows(rows, 0, dtype, shape, path)
    # Column after column: a row is scattered over the file, so the axes are turned around.
    with rows:
        return np.memmap(rows, dtype, "r", shape=shape, order="F")
