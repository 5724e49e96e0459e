"""The header of an .npy array from anybody: short, a literal of Python, and never unpickled.

NumPy reads and decodes a header before it looks at its length, and one of version 2.0 may claim
4 GiB, which a zip packs a thousandfold.
"""

from __future__ import annotations

import io
import struct
import warnings
from tokenize import TokenError
from typing import IO, TYPE_CHECKING, Any

from numpy.lib import format as npy

if TYPE_CHECKING:
    import numpy as np

# The reader's words and what NumPy's parser has been seen to raise.
FAULTS = (
    *(ValueError, TypeError, LookupError, SyntaxError, MemoryError, RecursionError),
    *(OverflowError, AttributeError, TokenError),
)
# What NumPy itself takes, unless it is told to trust the file.
LONGEST_BYTES = 10_000
_LENGTHS = {(1, 0): struct.Struct("<H"), (2, 0): struct.Struct("<I")}
_PARSERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return the shape, whether columns come first, and the type of the array that follows.

    Args:
        stream: Stands at the first byte; then at the first value.

    Raises:
        FAULTS: One of these errors, if it is damaged or longer than headers are.
    """
    magic = _taken(stream, npy.MAGIC_LEN)
    prefix, version = magic[:-2], (magic[-2], magic[-1])
    if prefix != npy.MAGIC_PREFIX:
        raise ValueError("it does not begin as an array")
    if version not in _LENGTHS:
        raise ValueError(f"unknown version {version}")
    stated = _taken(stream, _LENGTHS[version].size)
    (length,) = _LENGTHS[version].unpack(stated)
    if length > LONGEST_BYTES:
        raise ValueError(f"a header of {length:,} bytes, expected at most {LONGEST_BYTES:,}")
    text = io.BytesIO(stated + _taken(stream, length))
    with warnings.catch_warnings():  # of headers that Python 2 wrote, and of odd types
        warnings.simplefilter("ignore")
        shape, fortran, dtype = _PARSERS[version](text)
    return shape, bool(fortran), dtype


def _taken(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise ValueError("the header is cut off")
    return content
