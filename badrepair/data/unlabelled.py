"""Images without labels as they come in use, of which some may be broken.

They are read block by block. What cannot be read is told with its reason, and the others go on.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from badrepair.data import pictures, ranges
from badrepair.errors import BadrepairError, DataError
from badrepair.files import sha256
from badrepair.progress import track

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from badrepair.data.pictures import Color, Pixels
    from badrepair.data.ranges import ModelRange
    from badrepair.views import Images


LONGEST_PROBLEM = 300


@dataclass(frozen=True)
class Fault:
    """Why an image cannot be read: one CamelCase word, and what was found."""

    code: str
    problem: str


@dataclass(frozen=True, eq=False)
class Block:
    """Some consecutive images.

    Args:
        pixels: Those that could be read, shape (m, H, W, C), float32, in the model's range.
        rows: Their numbers, rising, shape (m,).
        faults: Why the others could not, by number.
    """

    pixels: Pixels
    rows: NDArray[np.int64]
    faults: Mapping[int, Fault] = field(default_factory=dict)


class Unlabelled(Protocol):
    """Images without labels, numbered from 0 on."""

    @property
    def files(self) -> Sequence[Path]:
        """Return the files that are read; others may appear beside them."""

    def __len__(self) -> int: ...

    def name(self, row: int) -> str:
        """Return the file's name from the folder on; empty where there is no file for each."""

    def read(self, start: int, stop: int) -> Block:
        """Return the images of some rows."""

    def digest(self) -> tuple[str, int]:
        """Return the SHA-256 of all images, in hexadecimal, and how many bytes they take."""


@dataclass(frozen=True, eq=False)
class ArrayRows:
    """Images in one array.

    Args:
        images: Shape (N, H, W, C), in the model's range; may hold NaN and infinities.
        path: Where they are stored.
    """

    images: Images
    path: Path

    @property
    def files(self) -> Sequence[Path]:
        """Return the one file."""
        return (self.path,)

    def __len__(self) -> int:
        return len(self.images)

    def name(self, row: int) -> str:
        """Return nothing: rows have no names."""
        return ""

    def read(self, start: int, stop: int) -> Block:
        """Return the images of some rows; those that are not finite cannot be read."""
        pixels = np.asarray(self.images[start:stop], np.float32)
        finite = np.isfinite(pixels).all(axis=(1, 2, 3))
        counts = np.sum(~np.isfinite(pixels[~finite]), axis=(1, 2, 3))
        faults = {
            start + int(row): Fault("NotFinite", f"{count} pixels are NaN or infinite")
            for row, count in zip(np.flatnonzero(~finite), counts, strict=True)
        }
        return Block(pixels[finite], start + np.flatnonzero(finite), faults)

    def digest(self) -> tuple[str, int]:
        """Return the SHA-256 and the size of the file."""
        return sha256(self.path), self.path.stat().st_size


@dataclass(frozen=True, kw_only=True)
class PictureRows:
    """Pictures in files of a folder.

    Args:
        folder: Where they are; a link that leads out of it is not followed.
        names: Of the files, from the folder on.
        shape: (H, W, C) that is returned; C is 1 or 3.
        input_range: What the model takes.
        color: Order of the channels in the files.
        resize: Whether pictures of another size are resized; else they cannot be read.
    """

    folder: Path
    names: Sequence[str]
    shape: tuple[int, int, int]
    input_range: ModelRange
    color: Color = "rgb"
    resize: bool = False

    def __post_init__(self) -> None:
        if self.shape[2] not in {1, 3}:
            problem = f"pictures have 1 or 3 channels, the model takes {self.shape[2]}"
            raise DataError("ShapeMismatch", self.folder, problem, "give an array of images")

    @property
    def files(self) -> Sequence[Path]:
        """Return the files of all pictures."""
        return [self.folder / name for name in self.names]

    def __len__(self) -> int:
        return len(self.names)

    def name(self, row: int) -> str:
        """Return the file's name, from the folder on."""
        return self.names[row]

    def read(self, start: int, stop: int) -> Block:
        """Return the pictures of some rows, as far as they can be decoded."""
        pixels: list[Pixels] = []
        rows, faults = [], {}
        for row in range(start, stop):
            found = self._read(row)
            if isinstance(found, Fault):
                faults[row] = found
            else:
                rows.append(row)
                pixels.append(found)
        stack = np.stack(pixels) if pixels else np.empty((0, *self.shape), np.float32)
        # Divided as arrays of bytes are, so that a picture and its row in an array are the same.
        in_range = ranges.to_unit(stack) if self.input_range == "0-1" else stack
        return Block(in_range, np.array(rows, dtype=np.int64), faults)

    def digest(self) -> tuple[str, int]:
        """Return the SHA-256 of the names and contents of all files, and the size of all."""
        whole, size = hashlib.sha256(), 0
        for row in track(range(len(self)), "hashing", len(self)):
            try:
                own, bytes_ = sha256(self.file(row)), self.file(row).stat().st_size
            except (OSError, DataError) as error:
                own, bytes_ = type(error).__name__, 0
            whole.update(os.fsencode(self.names[row]) + b"\0" + own.encode() + b"\n")
            size += bytes_
        return whole.hexdigest(), size

    def file(self, row: int) -> Path:
        """Return where a picture is.

        Raises:
            DataError: LinkRefused: it is a link that leads out of the folder.
        """
        path = self.folder / self.names[row]
        if pictures.leads_out(path, self.folder):
            raise DataError("LinkRefused", path, "leads out of the folder")
        return path

    def _read(self, row: int) -> Pixels | Fault:
        try:
            return pictures.read_picture(
                self.file(row), size=self.shape, color=self.color, resize=self.resize
            )
        except BadrepairError as error:
            return Fault(error.code, _shortened(error.problem))


def _shortened(problem: str) -> str:
    return " ".join(problem.split())[:LONGEST_PROBLEM]
