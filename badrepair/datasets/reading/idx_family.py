"""MNIST and the sets that are made like it: 28 x 28 grey pixels, ten classes, four IDX files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from badrepair.data import idx
from badrepair.data.labels import class_numbers
from badrepair.datasets.reading import places
from badrepair.datasets.reading.fetching import fetched
from badrepair.datasets.reading.source import Source, require_alone
from badrepair.errors import DataError
from badrepair.types import Dataset

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SIDE = 28
CLASSES = 10
TRAINING, TEST = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"
_SUFFIXES = ("", ".gz")


@dataclass(frozen=True, kw_only=True)
class IdxFamily:
    """A data set in the four files of MNIST.

    Args:
        name: Its name here.
        folders: What its folder may be called.
        origin: The address of the folder with its files.
        digests: SHA-256 of each file there, by name.
        package: The Debian package that brings it, where there is one.
    """

    name: str
    folders: tuple[str, ...]
    origin: str
    digests: Mapping[str, str]
    package: str = ""

    def load(self, place: str = "") -> Source:
        """Return the data set from this machine or, the first time, from the web.

        Raises:
            OptionError: A file is given to it.
            InputMissingError: DatasetMissing.
            DataError: A file is not what it should be.
        """
        require_alone(self.name, place)
        folder = places.found(self.folders, _is_complete) or self._fetched()
        training, test = (self._part(folder, file) for file in (TRAINING, TEST))
        return Source(name=self.name, training=training, test=test, classes=CLASSES)

    def _fetched(self) -> Path:
        try:
            files = [
                fetched(self.origin + file, digest, self.folders[0])
                for file, digest in self.digests.items()
            ]
        except Exception as error:  # of the network, of Keras, of the disk
            what = f"the IDX files {', '.join(self.digests)}"
            raise places.missing(self.name, what, error, package=self.package) from error
        return files[0].parent

    def _part(self, folder: Path, file: str) -> Dataset:
        path = _file(folder, file)
        raw = idx.read(path)
        images = raw.images[:]
        if images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8:
            found = f"{images.shape[1:]} of {images.dtype}"
            problem = f"expected images {(SIDE, SIDE)} of uint8, found {found}"
            raise DataError("ShapeMismatch", path, problem)
        labels = class_numbers(np.asarray(raw.labels), len(images), CLASSES, path)
        return Dataset(images=images[..., np.newaxis], labels=labels, name=self.name)


def _is_complete(folder: Path) -> bool:
    labels = (name.replace("images-idx3", "labels-idx1") for name in (TRAINING, TEST))
    return all(_file(folder, name).is_file() for name in (TRAINING, TEST, *labels))


def _file(folder: Path, name: str) -> Path:
    """Return a file that may be packed, or the name of the packed one if there is none."""
    candidates = [folder / (name + suffix) for suffix in _SUFFIXES]
    return next((path for path in candidates if path.is_file()), candidates[-1])
