"""A folder of class sub-folders with PNG and JPEG files; files are decoded when asked for."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from badrepair.data.pictures import Pixels, decode, is_grey, leads_out, opened
from badrepair.data.raw import RawData
from badrepair.errors import DataError
from badrepair.folders import require_countable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from badrepair.types import Labels
    from badrepair.views import Key

log = logging.getLogger(__name__)

FORMATS = ("PNG", "JPEG")
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_MOST_SKIPPED = 0.1
_LARGEST_CLASS = 2**31
_NAMED = 5
# What file managers leave behind says nothing about the data; hidden files are such, too.
_SYSTEM_FILES = {"thumbs.db", "desktop.ini", "__macosx"}


def read(path: Path, *, skip_bad: bool = False) -> RawData:
    """Return the images of a folder's class sub-folders.

    Class names that are all whole numbers are the labels; other names are numbered from 0 in
    sorted order. An empty sub-folder keeps its number.

    Args:
        path: The folder.
        skip_bad: Whether pictures that cannot be decoded are left out instead of refused.

    Raises:
        DataError: If there are no class folders, if there are too many files, if over 10 % of
            them are no pictures, if pictures differ in size, or if a link leads out of the folder.
    """
    classes = [entry for entry in _visible(path, path) if entry.is_dir()]
    if not classes:
        hint = "one sub-folder a class, with the class's pictures in it"
        raise DataError("NoClassFolders", path, "expected a sub-folder for every class", hint)
    names = [entry.name for entry in classes]
    numbers = _numbers(names, path)
    inside = list(_visible_in_all(classes, path))
    pictures = [[file for file in files if _is_picture(file)] for files in inside]
    _check_skipped(path, sum(map(len, inside)), sum(map(len, pictures)))
    if skip_bad:
        pictures = _sound(pictures, path)
    _doubt(path, names, pictures)
    labels = np.arange(len(names)) if numbers is None else numbers
    return RawData(
        images=Pictures.scan([file for files in pictures for file in files]),
        labels=np.repeat(labels, [len(files) for files in pictures]),
        class_names=tuple(names) if numbers is None else None,
    )


@dataclass(frozen=True)
class Pictures:
    """Picture files of one size, as float32 rows in 0..255.

    Args:
        files: The files, one a row.
        shape: (N, H, W, C).
    """

    files: tuple[Path, ...]
    shape: tuple[int, ...]

    @classmethod
    def scan(cls, files: Sequence[Path]) -> Pictures:
        """Check the sizes of the files by their headers; they are grey if every one is."""
        first: tuple[int, int] | None = None
        grey = True
        for file in files:
            with opened(file, FORMATS) as image:
                size, grey = image.size, grey and is_grey(image)
            first = first or size
            if size != first:
                raise DataError("SizeMismatch", file, _differing(first, size))
        width, height = first or (0, 0)
        return cls(tuple(files), (len(files), height, width, 1 if grey else 3))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, key: Key) -> Pixels:
        rows = np.arange(len(self))[key]
        pixels = np.empty((len(rows), *self.shape[1:]), np.float32)
        for place, row in enumerate(rows):
            pixels[place] = decode(self.files[row], self.shape[3], formats=FORMATS)
        return pixels


def _differing(first: tuple[int, int], size: tuple[int, int]) -> str:
    return (
        f"{size[1]} x {size[0]} pixels (height x width), the pictures before it have "
        f"{first[1]} x {first[0]}"
    )


def _visible(folder: Path, root: Path) -> list[Path]:
    """Return what is in a folder, sorted, without system files."""
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    for entry in entries:
        if leads_out(entry, root):
            raise DataError("LinkRefused", entry, "leads out of the folder", "copy the file in")
    return [
        e for e in entries if not e.name.startswith(".") and e.name.lower() not in _SYSTEM_FILES
    ]


def _visible_in_all(classes: Sequence[Path], root: Path) -> Iterator[list[Path]]:
    count = 0
    for folder in classes:
        files = _visible(folder, root)
        count += len(files)
        require_countable(count, root)
        yield files


def _is_picture(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8).startswith(_MAGIC)


def _sound(pictures: Sequence[Sequence[Path]], path: Path) -> list[list[Path]]:
    """Return the pictures that can be decoded, and say how many cannot."""
    kept = [[file for file in files if _decodes(file)] for files in pictures]
    before, after = sum(map(len, pictures)), sum(map(len, kept))
    if after < before:
        log.warning("%s: %d of %d pictures cannot be decoded", path, before - after, before)
    return kept


def _decodes(file: Path) -> bool:
    try:
        decode(file, 3, formats=FORMATS)
    except DataError:
        return False
    return True


def _doubt(path: Path, names: Sequence[str], pictures: Sequence[Sequence[Path]]) -> None:
    """Say what looks like an accident."""
    empty = [name for name, files in zip(names, pictures, strict=True) if not files]
    if empty:
        log.warning("%s: class folders without a picture: %s", path, ", ".join(empty[:_NAMED]))
    times = Counter(name.casefold() for name in names)
    twins = [name for name in names if times[name.casefold()] > 1]
    if twins:
        named = ", ".join(twins[:_NAMED])
        log.warning("%s: class folders that differ in case alone: %s", path, named)


def _numbers(names: list[str], path: Path) -> Labels | None:
    if not all(name.isascii() and name.isdigit() for name in names):
        return None
    numbers = [int(name) for name in names]
    if len(set(numbers)) < len(numbers):
        raise DataError("ClassTwice", path, f"two folders mean one class: {', '.join(names)}")
    if max(numbers) > _LARGEST_CLASS:
        raise DataError("LabelRange", path, f"no class has the number {max(numbers)}")
    return np.array(numbers, dtype=np.int64)


def _check_skipped(path: Path, found: int, pictures: int) -> None:
    skipped = found - pictures
    problem = f"{skipped} of {found} files are neither PNG nor JPEG"
    if skipped > _MOST_SKIPPED * found:
        raise DataError("NotPictures", path, problem, "remove them or convert them to PNG")
    if skipped:
        log.warning("%s: %s; they are passed over", path, problem)
