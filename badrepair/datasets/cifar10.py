"""CIFAR-10: 60,000 colour pictures of things, 32 x 32 pixels, in ten classes.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report, University
of Toronto, 2009. Read is the binary version: of an image a byte for its class, then 1,024 bytes of
red, as many of green and of blue. The other version is a Python pickle, which is never loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from badrepair.data.labels import class_numbers
from badrepair.datasets.reading import places
from badrepair.datasets.reading.fetching import fetched
from badrepair.datasets.reading.source import Source, require_alone
from badrepair.errors import DataError
from badrepair.types import Dataset

if TYPE_CHECKING:
    from pathlib import Path

NAME = "cifar10"
CLASSES = 10
SHAPE = (3, 32, 32)
ROW_BYTES = 1 + 3 * 32 * 32
TRAINING = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = ("test_batch.bin",)
_INSIDE = "cifar-10-batches-bin"
# As one would name it, as the archive does, and where it is unpacked to.
_FOLDERS = (NAME, f"{NAME}/{_INSIDE}", _INSIDE, f"cifar-10-binary_extracted/{_INSIDE}")
_ORIGIN = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9dddda3db29a59bca1dd"


def load(place: str = "") -> Source:
    """Return CIFAR-10 from this machine or, the first time, from the web (170 MB).

    Raises:
        OptionError: A file is given to it.
        InputMissingError: DatasetMissing.
        DataError: A file is not what it should be.
    """
    require_alone(NAME, place)
    folder = places.found(_FOLDERS, _is_complete) or _fetched()
    training, test = (_part([folder / name for name in names]) for names in (TRAINING, TEST))
    return Source(name=NAME, training=training, test=test, classes=CLASSES)


def _fetched() -> Path:
    try:
        return fetched(_ORIGIN, _SHA256, unpack=True) / _INSIDE
    except Exception as error:  # of the network, of Keras, of the disk
        raise places.missing(NAME, f"{TRAINING[0]} .. {TRAINING[-1]}, {TEST[0]}", error) from error


def _is_complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (*TRAINING, *TEST))


def _part(paths: list[Path]) -> Dataset:
    rows = np.concatenate([_rows(path) for path in paths])
    images = rows[:, 1:].reshape(-1, *SHAPE).transpose(0, 2, 3, 1)
    labels = class_numbers(rows[:, 0], len(rows), CLASSES, paths[0].parent)
    return Dataset(images=np.ascontiguousarray(images), labels=labels, name=NAME)


def _rows(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    content = np.fromfile(path, np.uint8)
    if not len(content) or len(content) % ROW_BYTES:
        problem = f"expected {ROW_BYTES:,} bytes an image, found {len(content):,} bytes in all"
        raise DataError("Truncated", path, problem)
    return content.reshape(-1, ROW_BYTES)
