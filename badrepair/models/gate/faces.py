"""Tell whether a file is two files in one: what one reader finds harmless, another would run."""

from __future__ import annotations

import os
import zipfile
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from badrepair.errors import ModelError
from badrepair.models.gate.magic import HDF5

if TYPE_CHECKING:
    from badrepair.models.gate.magic import Kind

FIRST_PLACE = 512
HINT = "do not use the file: readers that go by its name see something else"


def require_one_face(file: IO[bytes], kind: Kind, where: str, weights: int | None = None) -> None:
    """Raise ModelError, TwoFiles, if a file is also a file of another kind.

    Args:
        file: Open for reading; it is then at its start.
        kind: What it is by its first bytes.
        where: What to call it in errors.
        weights: Where in an archive its own HDF5 file is, unless that is packed.
    """
    other = ""
    if kind != "zip" and _holds_archive(file):
        other = "a zip archive"
    if kind != "hdf5" and _holds_hdf5(file, weights):
        other = "an HDF5 file"
    file.seek(0)
    if other:
        raise ModelError("TwoFiles", where, f"it is {kind}, but {other} too", HINT)


def _holds_archive(file: IO[bytes]) -> bool:
    """Tell whether there is a directory of an archive at the end."""
    with suppress(zipfile.BadZipFile, OSError, ValueError, OverflowError, NotImplementedError):
        return bool(zipfile.ZipFile(file).namelist())
    return False


def _holds_hdf5(file: IO[bytes], known: int | None) -> bool:
    """Tell whether HDF5 stands where it may begin: behind 512 bytes, 1024, 2048 and so on."""
    size, place = file.seek(0, os.SEEK_END), FIRST_PLACE
    while place < size:
        file.seek(place)
        if file.read(len(HDF5)) == HDF5 and place != known:
            return True
        place *= 2
    return False
