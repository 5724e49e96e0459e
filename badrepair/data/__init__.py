"""Data sets in and out. A new format is a file here and its name in one of the lists below."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from badrepair.data import folder, hdf5, idx, npy, npz
from badrepair.data.raw import RawData
from badrepair.errors import DataError
from badrepair.files import require_file

if TYPE_CHECKING:
    from pathlib import Path

    from badrepair.views import Images

__all__ = ["RawData", "read", "read_images"]


class _Keyed(Protocol):
    """A format whose arrays have names."""

    def recognises(self, path: Path) -> bool: ...

    def read(
        self, path: Path, *, image_key: str | None = None, label_key: str | None = None
    ) -> RawData: ...

    def read_images(self, path: Path, *, image_key: str | None = None) -> Images: ...


class _Unlabelled(Protocol):
    """A format with one place for images."""

    def recognises(self, path: Path) -> bool: ...

    def read_images(self, path: Path) -> Images: ...


_KEYED: tuple[_Keyed, ...] = (hdf5, npz)
_UNLABELLED: tuple[_Unlabelled, ...] = (idx, npy)
# What people give by mistake, by its first bytes.
_KNOWN = {
    b"\x93NUMPY": "a single NumPy array: save images and labels together with numpy.savez",
    b"\x80": "a Python pickle, which is never loaded: save the arrays with numpy.savez",
    b"\x89PNG": "a single picture: give a folder with one sub-folder a class",
    b"\xff\xd8\xff": "a single picture: give a folder with one sub-folder a class",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with git lfs pull",
    b"<": "a web page, perhaps of a failed download",
}


def read(
    path: Path,
    *,
    image_key: str | None = None,
    label_key: str | None = None,
    skip_bad: bool = False,
) -> RawData:
    """Return what a data file holds; its format is told by content, whatever the suffix says.

    Args:
        path: An HDF5, .npz or IDX file, or a folder of class sub-folders.
        image_key: Name of the images in HDF5 and .npz; None to go by the usual names.
        label_key: Name of the labels there; likewise.
        skip_bad: Whether pictures in a folder that cannot be decoded are left out.

    Raises:
        InputMissingError: If there is no such file.
        DataError: If its format is unknown or its content cannot be used.
    """
    if os.path.isdir(path):  # not path.is_dir, which raises on endless names
        return folder.read(path, skip_bad=skip_bad)
    require_file(path)
    for keyed in _KEYED:
        if keyed.recognises(path):
            return keyed.read(path, image_key=image_key, label_key=label_key)
    if idx.recognises(path):
        return idx.read(path)
    raise _unknown(path)


def read_images(path: Path, *, image_key: str | None = None) -> Images:
    """Return the images of a data file, in their stored layout, type and range; labels are ignored.

    Args:
        path: An HDF5, .npz, .npy or IDX file.
        image_key: Name of the images in HDF5 and .npz; None to go by the usual names, or by the
            only array.

    Raises:
        InputMissingError: If there is no such file.
        DataError: If its format is unknown or its content cannot be used.
    """
    require_file(path)
    for keyed in _KEYED:
        if keyed.recognises(path):
            return keyed.read_images(path, image_key=image_key)
    for unlabelled in _UNLABELLED:
        if unlabelled.recognises(path):
            return unlabelled.read_images(path)
    raise _unknown(path)


def _unknown(path: Path) -> DataError:
    with path.open("rb") as file:
        head = file.read(64).lstrip()
    found = next((name for magic, name in _KNOWN.items() if head.startswith(magic)), "")
    problem = found or f"neither HDF5, .npz, IDX nor a folder ({path.stat().st_size} bytes)"
    return DataError("UnknownFormat", path, problem)
