"""HDF5: arrays under the keys `data` and `label`, as in the CSAW-HackML files.

A file may come from anybody, and HDF5 can point outside itself. Only arrays that lie in the
file are read: no external or soft link, no virtual data set, no external storage.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from badrepair.data.keys import choose_image_key, choose_keys, true_label_key
from badrepair.data.raw import RawData
from badrepair.data.rows import rows_at
from badrepair.errors import DataError
from badrepair.views import batches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from badrepair.types import Dataset
    from badrepair.views import Array, Images, Key

MAGIC = b"\x89HDF\r\n\x1a\n"
_FILTERS = {"deflate", "shuffle", "fletcher32", "lzf"}
_NUMBERS = "biuf"
_MOST_NAMES = 10_000
# One chunk is decompressed whole, and labels are read whole.
_MOST_BYTES_AT_ONCE = 2**30
_ROWS_AT_ONCE = 100


def recognises(path: Path) -> bool:
    """Return whether the file begins as HDF5."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read(path: Path, *, image_key: str | None = None, label_key: str | None = None) -> RawData:
    """Return the arrays of an HDF5 file; the images stay in it and are read by slices."""
    with _reading(path):
        file = h5py.File(path, "r", locking=False)
        names = _names(file)
        image_key, label_key = choose_keys(names, image_key, label_key, path)
        return RawData(
            images=Rows(_dataset(file, image_key, path), path),
            labels=_whole(file, label_key, path),
            true_labels=_whole(file, true_label_key(names), path),
        )


def read_images(path: Path, *, image_key: str | None = None) -> Images:
    """Return the images of an HDF5 file, whether it has labels or not."""
    with _reading(path):
        file = h5py.File(path, "r", locking=False)
        return Rows(_dataset(file, choose_image_key(_names(file), image_key, path), path), path)


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
    """The rows of an array in an open HDF5 file.

    Args:
        stored: An `h5py.Dataset`, which ships no types.
        where: The file to name in errors.
    """

    stored: Any
    where: Path

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the stored shape."""
        return tuple(self.stored.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Key) -> Array:
        with _reading(self.where):
            # h5py takes neither unsorted nor repeated row numbers.
            return rows_at(lambda start, stop: self.stored[start:stop], len(self), key)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what h5py raises on damaged files, which is nearly anything, into one error."""
    try:
        yield
    except IndexError:
        raise
    except (OSError, RuntimeError, LookupError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        code = "Truncated" if "truncated" in reason else "Corrupt"
        raise DataError(code, path, f"cannot be read as HDF5: {reason}") from error


def _names(file: h5py.File) -> list[str]:
    names = list(file)

    def collect(name: str, item: object) -> bool | None:
        if isinstance(item, h5py.Dataset) and "/" in name:
            names.append(name)
        return True if len(names) > _MOST_NAMES else None

    file.visititems(collect)
    return names


def _whole(file: h5py.File, key: str | None, path: Path) -> Array | None:
    if key is None:
        return None
    labels = _dataset(file, key, path)
    if labels.nbytes > _MOST_BYTES_AT_ONCE:
        raise DataError("H5Bomb", path, f"{key} declares {labels.nbytes:,} bytes of labels")
    values: Array = labels[()]
    return values


def _dataset(file: h5py.File, key: str, path: Path) -> h5py.Dataset:
    """Return an array that lies in this very file."""
    item: Any = file
    for part in key.split("/"):
        if not isinstance(item, h5py.Group) or part not in item:
            raise DataError("KeyMissing", path, f"{key} leads nowhere")
        if not isinstance(item.get(part, getlink=True), h5py.HardLink):
            raise DataError("H5Link", path, f"{key} is a link to elsewhere", "copy the array in")
        item = item[part]
    if not isinstance(item, h5py.Dataset):
        raise DataError("KeyMissing", path, f"{key} is a group, not an array")
    _check(item, key, path)
    return item


def _check(item: h5py.Dataset, key: str, path: Path) -> None:
    plist = item.id.get_create_plist()
    filters = {_filter_name(plist.get_filter(i)) for i in range(plist.get_nfilters())}
    bytes_a_chunk = int(np.prod(item.chunks or (0,), dtype=object)) * item.dtype.itemsize
    if item.is_virtual:
        raise DataError("H5Virtual", path, f"{key} is virtual: its values lie in other files")
    if item.external:
        raise DataError("H5External", path, f"{key} keeps its values in other files")
    if item.dtype.kind not in _NUMBERS or item.dtype.fields or not item.shape:
        raise DataError("H5Dtype", path, f"{key} is {item.dtype}: expected an array of numbers")
    if not filters <= _FILTERS:
        problem = f"{key} is packed with {', '.join(sorted(filters - _FILTERS))}"
        raise DataError("H5Filter", path, problem, "repack it with gzip")
    if bytes_a_chunk > _MOST_BYTES_AT_ONCE:
        raise DataError("H5Bomb", path, f"{key} declares chunks of {bytes_a_chunk:,} bytes")


def _filter_name(found: tuple[Any, ...]) -> str:
    known = {
        h5py.h5z.FILTER_DEFLATE: "deflate",
        h5py.h5z.FILTER_SHUFFLE: "shuffle",
        h5py.h5z.FILTER_FLETCHER32: "fletcher32",
        h5py.h5z.FILTER_LZF: "lzf",
    }
    return known.get(found[0], f"filter {found[0]}")


def _are_bytes(images: Images) -> bool:
    def fit(rows: Array) -> bool:
        return bool(np.all((rows >= 0) & (rows <= 255) & (rows == np.floor(rows))))

    return all(fit(rows) for rows in batches(images, _ROWS_AT_ONCE))
