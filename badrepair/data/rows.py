"""Rows of arrays that stay in their files until they are asked for."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from badrepair.errors import DataError, ResourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from badrepair.views import Array, Key

_PIECE_BYTES = 2**20
# Deflate makes 1,032 bytes of one at the most; images, even drawings, do not come near that.
_MOST_RATIO = 100
_HARMLESS_BYTES = 2**26


class Readable(Protocol):
    """What bytes come out of."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""


def rows_at(read: Callable[[int, int], Array], count: int, key: Key) -> Array:
    """Return the rows at `key`, in its order, reading each run of neighbours once.

    Args:
        read: Returns the rows from start to stop.
        count: Number of rows.
        key: A slice, or row numbers in any order and any number of times.
    """
    if isinstance(key, slice):
        start, stop, step = key.indices(count)
        if step == 1:
            return read(start, max(start, stop))
        key = np.arange(start, stop, step)
    if not len(key):
        return read(0, 0)
    if key.min() < -count or key.max() >= count:
        raise IndexError(f"rows {key.min()}..{key.max()} of {count}")
    wanted, inverse = np.unique(np.where(key < 0, key + count, key), return_inverse=True)
    runs = np.split(wanted, np.flatnonzero(np.diff(wanted) > 1) + 1)
    return np.concatenate([read(int(run[0]), int(run[-1]) + 1) for run in runs])[inverse]


@dataclass(frozen=True, eq=False)
class FileRows:
    """An array that lies row after row in an open file, which closes with the last reference.

    It reads instead of mapping: mapped pages would count as memory of this process.

    Args:
        file: Where the bytes are.
        offset: Where the first row begins, in bytes.
        dtype: Type of the elements.
        shape: Shape of the array; the first axis counts the rows.
        where: The file to name in errors.
    """

    file: IO[bytes]
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    where: Path

    def __post_init__(self) -> None:
        weakref.finalize(self, self.file.close)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Key) -> Array:
        return rows_at(self._between, len(self), key)

    def _between(self, start: int, stop: int) -> Array:
        rows = np.empty((stop - start, *self.shape[1:]), self.dtype)
        left = rows.reshape(-1).view(np.uint8).data
        position = self.offset + start * (self.dtype.itemsize * int(np.prod(self.shape[1:])))
        while left.nbytes:
            done = os.preadv(self.file.fileno(), [left], position)
            if not done:
                raise DataError("Truncated", self.where, f"rows {start}..{stop - 1} are cut off")
            left, position = left[done:], position + done
        return rows


def require_plausible(size: int, packed: int, where: Path) -> None:
    """Refuse what unpacks to what no images are.

    Args:
        size: How many bytes are declared.
        packed: How many bytes of the file they come from.
        where: The file to name in errors.

    Raises:
        DataError: DataBomb.
    """
    if size > _HARMLESS_BYTES and size > _MOST_RATIO * packed:
        problem = f"{packed:,} bytes in the file unpack to {size:,}"
        raise DataError("DataBomb", where, problem, "if it is right, store the array unpacked")


def spooled(stream: Readable, size: int, packed: int, where: Path) -> IO[bytes]:
    """Return a nameless temporary file with the next `size` bytes of a decompressed stream.

    Args:
        stream: Where they come from.
        size: How many are declared.
        packed: How many bytes of the file they come from.
        where: The file to name in errors.

    Raises:
        ResourceError: If the folder for temporary files has no room for it.
        DataError: If the stream ends early, or unpacks to what no images are.
    """
    require_plausible(size, packed, where)
    folder = tempfile.gettempdir()
    if shutil.disk_usage(folder).free < size:
        problem = f"needs {size / 2**30:.1f} GiB in {folder} to unpack it"
        raise ResourceError("DiskFull", where, problem, "set TMPDIR to a folder with more room")
    with ExitStack() as until_done:
        file = until_done.enter_context(tempfile.TemporaryFile())
        left = size
        while left and (piece := stream.read(min(left, _PIECE_BYTES))):
            file.write(piece)
            left -= len(piece)
        if left:
            raise DataError("Truncated", where, f"{left:,} of {size:,} bytes are missing")
        file.flush()
        until_done.pop_all()
    return file
