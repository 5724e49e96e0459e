"""Input files: they must be there, be files, and may be read.

Standard library only.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
from typing import TYPE_CHECKING

from badrepair.errors import DataError, InputMissingError

if TYPE_CHECKING:
    from pathlib import Path


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits, reading it piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def same_content(one: Path, other: Path) -> bool:
    """Return whether two files hold the same bytes, or two names are of one folder."""
    if os.path.isdir(one) or os.path.isdir(other):
        return one.resolve() == other.resolve()
    return one.stat().st_size == other.stat().st_size and sha256(one) == sha256(other)


def require_file(path: Path) -> Path:
    """Return `path` if it is a regular file that may be read.

    Raises:
        InputMissingError: If it is not there or may not be read.
        DataError: If it is a folder, a pipe or a device; it is never opened, so nothing hangs.
    """
    try:
        mode = path.stat().st_mode
    except PermissionError as error:
        raise _unreadable(path) from error
    except OSError as error:
        raise InputMissingError(
            "InputMissing", path.absolute(), "no such file", _similar_name(path)
        ) from error
    if not stat.S_ISREG(mode):
        raise DataError("NotAFile", path, f"expected a file, found {kind_name(mode)}")
    if not os.access(path, os.R_OK):
        raise _unreadable(path)
    return path


def kind_name(mode: int) -> str:
    """Return what people call a thing that has a mode, as of `os.stat`."""
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")


def _unreadable(path: Path) -> InputMissingError:
    try:
        found = path.stat()
        problem = f"no permission to read it (mode {stat.filemode(found.st_mode)}, "
        problem += f"owner {found.st_uid})"
    except OSError:
        problem = "no permission to look into its folder"
    return InputMissingError("InputUnreadable", path.absolute(), problem)


def _similar_name(path: Path) -> str:
    try:
        names = sorted(os.listdir(path.parent))
    except OSError:
        return f"no such folder: {path.parent.absolute()}"
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {close[0]}?" if close else ""
