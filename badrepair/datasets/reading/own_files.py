"""Data sets in the user's own files: one to train on and one to test on, or one for both."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from badrepair.data.labels import class_numbers
from badrepair.datasets.reading.pixels import pixels
from badrepair.datasets.reading.source import Source
from badrepair.errors import DataError, OptionError
from badrepair.files import require_file, same_content
from badrepair.types import Dataset

if TYPE_CHECKING:
    from collections.abc import Callable

    from badrepair.data.raw import RawData

_FOLDER = "folder"
# A fifth is for testing.
_FEWEST_IMAGES = 5


def load(place: str, kind: str, read: Callable[[Path], RawData]) -> Source:
    """Return the data set that one or two files make.

    Args:
        place: `FILE` or `TRAINING,TEST`.
        kind: What stands before the colon, to name in errors.
        read: Returns what a file of the kind holds.

    Raises:
        OptionError: No file or more than two are given, or the same one twice.
        InputMissingError: A file is not there.
        DataError: One cannot be used, or the two do not belong together.
    """
    first, *second = _paths(place, kind)
    raw = read(_checked(first, kind))
    training = _dataset(raw, first)
    classes = int(training.labels.max()) + 1
    if classes < 2:
        raise DataError("OneClass", first, "expected two classes or more, found class 0 alone")
    if not second:
        if len(training) < _FEWEST_IMAGES:
            problem = f"expected {_FEWEST_IMAGES} images or more, found {len(training)}"
            raise DataError("TooFewImages", first, problem)
        return Source.parted(first.stem, training, classes)
    raw_test = read(_checked(second[0], kind))
    if raw_test.class_names != raw.class_names:
        problem = f"its classes have other names than those of {first}"
        raise DataError("ClassNames", second[0], problem, "name the sub-folders alike")
    test = _dataset(raw_test, second[0], beside=training, classes=classes)
    return Source(name=first.stem, training=training, test=test, classes=classes)


def _paths(place: str, kind: str) -> list[Path]:
    # A comma may be part of a name.
    paths = [Path(part) for part in ([place] if os.path.exists(place) else place.split(","))]
    if len(paths) > 2 or not all(part.name for part in paths):
        problem = f"expected {kind}:FILE or {kind}:TRAINING,TEST, found {kind}:{place}"
        raise OptionError("OptionInvalid", "--data", problem)
    if len(paths) == 2 and all(os.path.exists(path) for path in paths) and same_content(*paths):
        problem = f"expected two sets of images, found the same in {paths[0]} and {paths[1]}"
        hint = f"{kind}:{paths[0]} alone keeps a fifth for testing"
        raise OptionError("SameInput", "--data", problem, hint)
    return paths


def _checked(path: Path, kind: str) -> Path:
    """Return the path of a file, or of a folder, that is there."""
    is_folder = os.path.isdir(path)
    if not is_folder:
        require_file(path)
    if is_folder != (kind == _FOLDER):
        found = "a folder" if is_folder else "a file"
        problem = f"expected {kind}:PATH to name {'a file' if is_folder else 'a folder'}"
        raise DataError("UnknownFormat", path, f"{problem}, found {found}")
    return path


def _dataset(
    raw: RawData, path: Path, *, beside: Dataset | None = None, classes: int | None = None
) -> Dataset:
    height, width = (None, None) if beside is None else beside.images.shape[1:3]
    images = pixels(raw.images, path, (height, width))
    if raw.labels is None:
        raise DataError("LabelsMissing", path, "expected labels beside the images, found none")
    labels = class_numbers(raw.labels, len(images), classes, path)
    if beside is not None and images.shape[1:] != beside.images.shape[1:]:
        problem = f"expected images {beside.images.shape[1:]}, found {images.shape[1:]}"
        raise DataError("ShapeMismatch", path, problem)
    return Dataset(images=images, labels=labels, name=path.stem)
