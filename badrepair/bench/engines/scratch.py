"""A folder for the temporary files of a run, and an end to those of runs that were killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_START = "badrepair-bench-"


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder that is gone afterwards; one that a killed run left is removed now."""
    _remove_leftovers(Path(tempfile.gettempdir()))
    made = Path(tempfile.mkdtemp(prefix=f".{_START}"))
    descriptor = os.open(made, os.O_RDONLY)
    try:
        # Only then does it get the name that others look for: nobody finds it without its lock.
        _take(descriptor)
        folder = made.rename(made.with_name(made.name.removeprefix(".")))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def _remove_leftovers(parent: Path) -> None:
    """Remove folders whose lock ended with the process that held it."""
    for found in parent.glob(f"{_START}*"):
        with suppress(OSError):
            descriptor = os.open(found, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                _take(descriptor)
                shutil.rmtree(found, ignore_errors=True)
            finally:
                os.close(descriptor)


def _take(descriptor: int) -> None:
    """Lock a folder; OSError if another process holds it, or its file system has no locks."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
