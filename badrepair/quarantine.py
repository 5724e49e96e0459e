"""Copies of flagged images in a folder of their own, and nowhere else."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from badrepair.data.unlabelled import PictureRows
from badrepair.errors import OptionError, OutputError
from badrepair.writing import write_atomically

if TYPE_CHECKING:
    from badrepair.data.ranges import ModelRange
    from badrepair.data.unlabelled import Unlabelled
    from badrepair.screening import Screened
    from badrepair.views import Array

OPTION = "--quarantine"


@dataclass(frozen=True, kw_only=True)
class Quarantine:
    """A folder with copies of flagged images: pictures as they are, rows of arrays as PNG.

    Args:
        folder: Where they go.
        images: What is screened.
        input_range: Pixel values of rows of arrays.
    """

    folder: Path
    images: Unlabelled
    input_range: ModelRange

    def check(self, *, source: Path, shape: tuple[int, int, int], filled: bool) -> None:
        """Find out before a long run whether copies can be made.

        Args:
            source: File or folder that is screened.
            shape: (H, W, C) of an image.
            filled: Whether there may be something in the folder already.

        Raises:
            OptionError: It is in the folder that is screened, or that is in it, or PNG cannot
                show the images.
            OutputError: It cannot be made, or it holds something that it may not.
        """
        here, there = self.folder.resolve(), source.resolve()
        if here == there or here in there.parents or there in here.parents:
            problem = f"expected a folder apart from {source}, found {self.folder}"
            raise OptionError("QuarantineInside", OPTION, problem)
        if not isinstance(self.images, PictureRows) and shape[2] not in {1, 3}:
            problem = f"PNG shows 1 or 3 channels, the images have {shape[2]}"
            raise OptionError("ShapeMismatch", OPTION, problem, "leave it out")
        if os.path.exists(self.folder) and not os.path.isdir(self.folder):
            raise OutputError("NotAFolder", self.folder, "expected a folder, found a file")
        if not os.path.isdir(self.folder.parent):
            problem = f"no such folder: {self.folder.parent.absolute()}"
            raise OutputError("OutputFolderMissing", self.folder, problem, "create it")
        if os.path.isdir(self.folder) and any(self.folder.iterdir()) and not filled:
            problem, hint = "the folder is not empty", "--overwrite adds to it"
            raise OutputError("OutputExists", self.folder, problem, hint)

    def keep(self, found: Screened) -> None:
        """Copy the flagged images among those that were screened; copies from before are replaced.

        Raises:
            OutputError: A name leads out of the folder.
            WriteError: A copy could not be made.
        """
        place_of = {row: place for place, row in enumerate(found.block.rows.tolist())}
        for row in found.rows:
            if row.verdict == "poisoned":
                self._copy(row.index, found.block.pixels[place_of[row.index]])

    def _copy(self, row: int, pixels: Array) -> None:
        if isinstance(self.images, PictureRows):
            source = self.images.file(row)
            target = self._place(self.images.name(row))
            write_atomically(target, lambda path: shutil.copyfile(source, path), overwrite=True)
            return
        digits = len(str(len(self.images) - 1))
        picture = Image.fromarray(self._bytes(pixels))
        target = self._place(f"{row:0{digits}}.png")
        write_atomically(target, lambda path: picture.save(path, "PNG"), overwrite=True)

    def _place(self, name: str) -> Path:
        """Return where a copy goes, after making its folder; no link is followed below ours."""
        inside = PurePath(name)
        if inside.is_absolute() or ".." in inside.parts:
            raise OutputError("PathRefused", self.folder / name, "leads out of the folder")
        place = self.folder
        place.mkdir(exist_ok=True)
        for part in inside.parts[:-1]:
            place /= part
            if place.is_symlink():
                raise OutputError("LinkRefused", place, "leads out of the folder", "remove it")
            place.mkdir(exist_ok=True)
        return place / inside.name

    def _bytes(self, pixels: Array) -> Array:
        """Return pixels as PNG has them; in an unknown range, the largest value is white."""
        white = {"0-1": 1.0, "0-255": 255.0}.get(self.input_range) or float(pixels.max()) or 1.0
        scaled = np.clip(np.rint(pixels * (255 / white)), 0, 255).astype(np.uint8)
        return scaled if scaled.shape[2] == 3 else scaled[..., 0]
