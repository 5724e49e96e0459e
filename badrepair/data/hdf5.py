"""HDF5: arrays under the keys `data` and `label`, as in the CSAW-HackML files.

A file may come from anybody, and HDF5 can point outside itself. Only arrays that lie in the
file are read: no external or soft link, no virtual data set, no external storage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from badrepair.confinement.process import Confined
from badrepair.data.keys import choose_image_key, choose_keys, true_label_key
from badrepair.data.labels import require_few
from badrepair.data.raw import RawData
from badrepair.data.rows import rows_at
from badrepair.errors import DataError
from badrepair.views import batches

if TYPE_CHECKING:
    from pathlib import Path

    from badrepair.types import Dataset
    from badrepair.views import Array, Images, Key

MAGIC = b"\x89HDF\r\n\x1a\n"
READER = "badrepair.data.hdf5_reader:DataReader"
_BYTES_A_QUESTION = 2**26
_ROWS_AT_ONCE = 100


def recognises(path: Path) -> bool:
    """Return whether the file begins as HDF5."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read(path: Path, *, image_key: str | None = None, label_key: str | None = None) -> RawData:
    """Return the arrays of an HDF5 file; the images stay in it and are read by slices."""
    confined = Confined(path, READER, DataError)
    names = _names(confined)
    image_key, label_key = choose_keys(names, image_key, label_key, path)
    return RawData(
        images=Rows.of(confined, image_key),
        labels=_whole(confined, label_key),
        true_labels=_whole(confined, true_label_key(names)),
    )


def read_images(path: Path, *, image_key: str | None = None) -> Images:
    """Return the images of an HDF5 file, whether it has labels or not."""
    confined = Confined(path, READER, DataError)
    return Rows.of(confined, choose_image_key(_names(confined), image_key, path))


def write(dataset: Dataset, path: Path) -> None:
    """Write a data set in the layout of the CSAW files.

    `data` is (N, C, H, W), as uint8 where all pixels are whole numbers in 0..255 and as float32
    otherwise; `label` and, where known, `true_label` are (N,).

    Raises:
        OSError: If the disk is full; HDF5 itself then raises RuntimeError, now and then.
    """
    count, height, width, channels = dataset.images.shape
    dtype = np.uint8 if _are_bytes(dataset.images) else np.float32
    try:
        with h5py.File(path, "w", locking=False) as file:
            data = file.create_dataset("data", (count, channels, height, width), dtype)
            for start in range(0, count, _ROWS_AT_ONCE):
                rows = dataset.images[start : start + _ROWS_AT_ONCE]
                data[start : start + len(rows)] = rows.transpose(0, 3, 1, 2)
            file["label"] = dataset.labels
            if dataset.true_labels is not None:
                file["true_label"] = dataset.true_labels
    except RuntimeError as error:
        raise OSError(f"HDF5 could not write: {error}") from error


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of an array in an HDF5 file, which a confined process reads.

    Args:
        confined: The file.
        key: Which array.
        dtype: Type of its numbers.
        shape: Its shape; the first axis counts the rows.
    """

    confined: Confined
    key: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, confined: Confined, key: str) -> Rows:
        """Return an array that lies in the file itself and holds what it declares."""
        said, _ = confined.ask(do="array", key=key)
        return cls(confined, key, np.dtype(said["type"]), tuple(said["shape"]))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Key) -> Array:
        # h5py takes neither unsorted nor repeated row numbers.
        return rows_at(self._between, len(self), key)

    def _between(self, start: int, stop: int) -> Array:
        rows = np.empty((stop - start, *self.shape[1:]), self.dtype)
        step = max(1, _BYTES_A_QUESTION // max(1, rows[:1].nbytes))
        for first in range(start, stop, step):
            last = min(first + step, stop)
            content = self.confined.ask(do="rows", key=self.key, start=first, stop=last)[1]
            part = rows[first - start : last - start]
            if len(content) != part.nbytes:
                problem = f"rows {first}..{last - 1} of {self.key} are cut off"
                raise DataError("Corrupt", self.confined.path, problem)
            part[...] = np.frombuffer(content, self.dtype).reshape(part.shape)
        return rows


def _names(confined: Confined) -> list[str]:
    names, _ = confined.ask(do="names")
    return [str(name) for name in names]


def _whole(confined: Confined, key: str | None) -> Array | None:
    if key is None:
        return None
    labels = Rows.of(confined, key)
    require_few(labels.shape, labels.dtype, key, confined.path)
    return labels[:]


def _are_bytes(images: Images) -> bool:
    def fit(rows: Array) -> bool:
        return bool(np.all((rows >= 0) & (rows <= 255) & (rows == np.floor(rows))))

    return all(fit(rows) for rows in batches(images, _ROWS_AT_ONCE))
