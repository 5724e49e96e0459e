"""Where the files of a published data set may lie on this machine, and the way to get them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from badrepair.errors import InputMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Names a folder with a sub-folder for every data set.
VARIABLE = "BADREPAIR_DATASETS"
# Where Debian's packages of data sets put theirs.
INSTALLED = Path("/usr/share/datasets")


def keras_cache() -> Path:
    """Return the folder in which Keras keeps what it has fetched."""
    return Path.home() / ".keras" / "datasets"


def found(folders: Sequence[str], is_complete: Callable[[Path], bool]) -> Path | None:
    """Return the first folder on this machine that holds a data set, or None.

    Args:
        folders: What its folder may be called, below each of the usual places.
        is_complete: Tells whether a folder has all its files.
    """
    own = os.environ.get(VARIABLE)
    roots = [*([Path(own)] if own else []), INSTALLED, keras_cache()]
    candidates = (root / folder for root in roots for folder in folders)
    return next(filter(is_complete, candidates), None)


def missing(name: str, files: str, reason: object, *, package: str = "") -> InputMissingError:
    """Return the error for a data set that is not there and could not be fetched.

    Args:
        name: The data set's name, and that of its folder.
        files: What its folder holds, in words.
        reason: Why it could not be fetched.
        package: The Debian package that brings it, where there is one.
    """
    why = " ".join(str(reason).split()) or type(reason).__name__
    problem = f"expected {files} on this machine, found none, and they could not be fetched: {why}"
    put = f"put them in a folder FOLDER/{name} and set {VARIABLE}=FOLDER"
    hint = f"apt install {package}, or {put}" if package else put
    return InputMissingError("DatasetMissing", name, problem, hint)
