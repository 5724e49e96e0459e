"""Keep the state of a fine-tuning run in one file, so that a killed run can be taken up again.

The file is an .npz that appears whole or not at all. It is read as hostile: nothing is unpickled,
and every array must have the shape and type that the network at hand asks for.
"""

from __future__ import annotations

import io
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from badrepair import archives, array_headers
from badrepair.errors import DataError
from badrepair.files import require_file
from badrepair.writing import remove_leftovers, write_atomically

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator
    from pathlib import Path

    from badrepair.views import Array

_PARTS = ("weights", "optimizer", "best_weights")
# Bytes: what an array takes in the file beyond its values, a key, and the accuracies of a run.
_HEADER, _KEY, _ACCURACIES = 4096, 1024, 8_000_000
_HINT = "leave out --resume to start anew"
# What zipfile and NumPy raise on damaged files.
_DAMAGED = (*archives.FAULTS, *array_headers.FAULTS)


@dataclass(frozen=True, kw_only=True)
class TuningState:
    """All that fine-tuning needs to go on after an epoch.

    Args:
        accuracies: Held-out clean accuracy after every epoch so far, each in [0, 1].
        weights: The network's, in the order of `get_weights`.
        optimizer: What the optimizer has learnt, as `Trainer.state` returns it.
        best_weights: Those that are kept if training ends now.
    """

    accuracies: tuple[float, ...]
    weights: list[Array]
    optimizer: list[Array]
    best_weights: list[Array]


class Checkpoint:
    """One file that holds the latest state of one run.

    Args:
        path: Where the file is, or is to appear.
        key: Hexadecimal digest of all that decides the run: options, inputs and versions.
        seconds: How long after the last state, or the beginning, the next one is due.
    """

    def __init__(self, path: Path, key: str, *, seconds: float = 5.0) -> None:
        self._path = path
        self._key = key
        self._seconds = seconds
        self._written = time.monotonic()

    def due(self) -> bool:
        """Return whether it is time to write a state again."""
        return time.monotonic() - self._written >= self._seconds

    def save(self, state: TuningState) -> None:
        """Write the state in place of the one before; a state that is not finite is passed over.

        Raises:
            WriteError: If writing failed; the state before is still there.
        """
        arrays = {name: array for part in _PARTS for name, array in _named(state, part)}
        if all(np.isfinite(array).all() for array in arrays.values()):
            content = io.BytesIO()
            np.savez(
                content,
                allow_pickle=False,
                key=np.frombuffer(self._key.encode(), np.uint8),
                accuracies=np.array(state.accuracies, np.float64),
                **{name: _plain(array) for name, array in arrays.items()},
            )
            write_atomically(self._path, content.getvalue(), overwrite=True)
        self._written = time.monotonic()

    def load(self, like: TuningState) -> TuningState | None:
        """Return the state in the file, or None if there is no file.

        Args:
            like: Any state of this run; only the shapes and types of its arrays count.

        Raises:
            DataError: If the file is of another run, or holds no sound state of this one.
        """
        if not self._path.exists():
            return None
        with self._opened() as archive:
            return _state(archive, like)

    def require_own(self) -> None:
        """Check that the file, if there is one, is of this run.

        Raises:
            DataError: If it is of another run, or damaged.
        """
        if self._path.exists():
            with self._opened():
                pass

    def require_some(self) -> None:
        """Check that the file, if there is one, is a checkpoint of any run, which may go.

        Raises:
            DataError: If it is something else.
        """
        if not self._path.exists():
            return
        try:
            with require_file(self._path).open("rb") as file, archives.opened(file) as archive:
                names = archive.namelist()
        except _DAMAGED:
            names = []
        if "key.npy" not in names:
            problem = "expected the checkpoint of a run or no file, found something else"
            raise DataError("CheckpointInvalid", self._path, problem, "move it away")

    def clear(self) -> None:
        """Remove the file, if there is one, and what a killed run left of others."""
        self._path.unlink(missing_ok=True)
        remove_leftovers(self._path)

    def invalid(self, found: str) -> DataError:
        """Return the error that says what is found instead of a sound state."""
        problem = f"expected the state of a fine-tuning run, found: {found[:300]}"
        return DataError("CheckpointInvalid", self._path, problem, _HINT)

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with require_file(self._path).open("rb") as file, archives.opened(file) as archive:
                self._require_key(_read(archive, "key", _KEY).tobytes())
                yield archive
        except _DAMAGED as error:
            raise self.invalid(str(error)) from error

    def _require_key(self, found: bytes) -> None:
        if found != self._key.encode():
            problem = (
                "expected a checkpoint of this run, found that of a run with other options, files"
                " or versions"
            )
            raise DataError("CheckpointOther", self._path, problem, _HINT)


def _named(state: TuningState, part: str) -> list[tuple[str, Array]]:
    return [(f"{part}/{index}", array) for index, array in enumerate(getattr(state, part))]


def _state(archive: zipfile.ZipFile, like: TuningState) -> TuningState:
    parts = {
        part: [_read_like(archive, name, array) for name, array in _named(like, part)]
        for part in _PARTS
    }
    surplus = len(archive.namelist()) - sum(map(len, parts.values())) - 2
    if surplus:
        raise ValueError(f"{surplus} arrays more than this network has")
    return TuningState(accuracies=_read_accuracies(archive), **parts)


def _read_accuracies(archive: zipfile.ZipFile) -> tuple[float, ...]:
    accuracies = _read(archive, "accuracies", _ACCURACIES)
    if accuracies.dtype != np.float64 or accuracies.ndim != 1 or not len(accuracies):
        raise ValueError(f"accuracies of type {accuracies.dtype} and shape {accuracies.shape}")
    if not ((accuracies >= 0) & (accuracies <= 1)).all():
        raise ValueError("accuracies outside [0, 1]")
    return tuple(accuracies.tolist())


def _read_like(archive: zipfile.ZipFile, name: str, like: Array) -> Array:
    stored, plain = _read(archive, name, like.nbytes), _plain(like)
    if (stored.dtype, stored.shape) != (plain.dtype, plain.shape):
        raise ValueError(
            f"{name} of type {stored.dtype} and shape {stored.shape} instead of"
            f" {plain.dtype} and {plain.shape}"
        )
    array = stored.view(like.dtype)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds values that are not finite")
    return array


def _read(archive: zipfile.ZipFile, name: str, size: int) -> Array:
    """Return an array of at most `size` bytes."""
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > size + _HEADER:
        raise ValueError(f"{name} of {member.file_size:,} bytes")
    with archive.open(member) as stream:
        shape, fortran, dtype = array_headers.read_header(stream)
        if dtype.hasobject or min(shape, default=0) < 0:
            raise ValueError(f"{name} of type {dtype} and shape {str(shape)[:80]}")
        count = math.prod(shape)
        values = np.frombuffer(stream.read(count * dtype.itemsize), dtype, count)
        # The checksum of a member is compared only when all of it has been read.
        if stream.read(1):
            raise ValueError(f"{name} with more bytes than values")
    return values.reshape(shape, order="F" if fortran else "C")


def _plain(array: Array) -> Array:
    """Return the array as a type that NumPy can store: bfloat16 goes by its bits."""
    return array.view(f"u{array.itemsize}") if array.dtype.kind == "V" else array
