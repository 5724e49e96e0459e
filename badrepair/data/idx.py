"""IDX, the format of MNIST and its family: an images file and a labels file, often gzipped.

https://yann.lecun.com/exdb/mnist
"""

from __future__ import annotations

import gzip
import math
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair.data.labels import require_few
from badrepair.data.raw import RawData
from badrepair.data.rows import FileRows, spooled
from badrepair.errors import DataError, InputMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

    from badrepair.views import Array

_GZIP = b"\x1f\x8b"
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_AXES = 4


def recognises(path: Path) -> bool:
    """Return whether the file, unpacked if need be, begins as IDX."""
    try:
        with _opened(path) as file:
            head = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(head) == 4 and _is_magic(head)


def read(path: Path) -> RawData:
    """Return the images of an IDX file with the labels of the file that belongs to it."""
    return RawData(images=read_images(path), labels=_labels(path))


def read_images(path: Path) -> FileRows:
    """Return the images of an IDX file."""
    images = _array(path)
    if len(images.shape) < 3:
        problem = f"holds an array of shape {images.shape}, expected images (N, H, W)"
        raise DataError("ShapeMismatch", path, problem, "give the images file")
    return images


def _labels(path: Path) -> Array:
    plain = path.name.removesuffix(".gz")
    name = plain.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
    for candidate in (path.with_name(name), path.with_name(name + ".gz")):
        if name != plain and candidate.is_file():
            stored = _array(candidate)
            require_few(stored.shape, stored.dtype, "the file", candidate)
            return stored[:]
    expected = f"{name} or {name}.gz beside it" if name != plain else "a name with 'images' in it"
    raise InputMissingError(
        "LabelsMissing", path, f"expected {expected}", "name the pair NAME-images.. and NAME-labels"
    )


def _array(path: Path) -> FileRows:
    with _reading(path), _opened(path) as file:
        dtype, shape = _header(file, path)
        offset = file.tell()
        size = math.prod(shape) * dtype.itemsize
        if isinstance(file, gzip.GzipFile):
            found = FileRows(spooled(file, size, path.stat().st_size, path), 0, dtype, shape, path)
            # At the end of the stream gzip compares its checksum.
            stored = size + len(file.read(1))
        else:
            found = FileRows(path.open("rb"), offset, dtype, shape, path)
            stored = path.stat().st_size - offset
    if stored != size:
        code = "Truncated" if stored < size else "Corrupt"
        there = "more" if stored > size else f"{stored:,}"
        raise DataError(code, path, f"declares {size:,} bytes of values, there are {there}")
    return found


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("Truncated", path, f"cannot be read as IDX: {error}") from error


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    with path.open("rb") as file:
        zipped = file.read(len(_GZIP)) == _GZIP
    return gzip.open(path) if zipped else path.open("rb")


def _is_magic(head: bytes) -> bool:
    return head[:2] == b"\0\0" and head[2] in _TYPES and 1 <= head[3] <= _MOST_AXES


def _header(
    file: gzip.GzipFile | BufferedReader, path: Path
) -> tuple[np.dtype[Any], tuple[int, ...]]:
    head = file.read(4)
    sizes = file.read(4 * head[3]) if len(head) == 4 and _is_magic(head) else b""
    if not sizes or len(sizes) < 4 * head[3]:
        raise DataError("UnknownFormat", path, "does not begin as an IDX file")
    return np.dtype(_TYPES[head[2]]), tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
