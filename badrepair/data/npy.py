"""NumPy's .npy: a single array, which can hold images but no labels. Nothing is ever unpickled."""

from __future__ import annotations

import math
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from badrepair import array_headers
from badrepair.data.rows import FileRows
from badrepair.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from badrepair.views import Images

MAGIC = b"\x93NUMPY"
_MOST_AXES, _LONGEST_AXIS = 6, 2**40


def recognises(path: Path) -> bool:
    """Return whether the file begins as an .npy array."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_images(path: Path) -> Images:
    """Return the array of an .npy file; it is read by slices."""
    with path.open("rb") as file:
        shape, fortran, dtype = header(file, "the array", path)
        offset = file.tell()
    size, stored = math.prod(shape) * dtype.itemsize, path.stat().st_size - offset
    if size != stored:
        code = "Truncated" if stored < size else "Corrupt"
        raise DataError(code, path, f"declares {size:,} bytes of values, there are {stored:,}")
    if not fortran or not size:
        return FileRows(path.open("rb"), offset, dtype, shape, path)
    # Column after column: a row is scattered over the file, so the axes are turned around.
    return np.memmap(path, dtype, "r", offset, shape, order="F")


def header(
    stream: IO[bytes], name: str, where: Path
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return the shape, whether columns come first, and the type of the array that follows.

    Args:
        stream: Stands at the first byte; then at the first value.
        name: What to call the array in errors.
        where: The file to name in errors.

    Raises:
        DataError: If it is damaged, or no array of plain values.
    """
    try:
        shape, fortran, dtype = array_headers.read_header(stream)
    except array_headers.FAULTS as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError("Corrupt", where, f"{name} cannot be read as .npy: {reason}") from error
    if dtype.hasobject:
        problem = f"{name} holds Python objects, which only unpickling could read"
        raise DataError("PickleRefused", where, problem, "save it as an array of numbers")
    if not shape:
        raise DataError("ShapeMismatch", where, f"{name} is a single value, expected an array")
    if (
        not dtype.itemsize
        or min(shape) < 0
        or max(shape) > _LONGEST_AXIS
        or len(shape) > _MOST_AXES
    ):
        problem = f"{name} declares the shape {str(shape)[:80]} of {dtype}"
        raise DataError("Corrupt", where, problem)
    return shape, fortran, dtype
