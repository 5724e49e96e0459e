"""A folder that a command fills: new, empty, or one that may be overwritten."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from badrepair.errors import OutputError
from badrepair.locking import lock_path, locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def filled(folder: Path, marker: str, *, overwrite: bool, option: str) -> Iterator[None]:
    """Make a folder if there is none, and keep it for this run.

    Args:
        folder: What is to be filled.
        marker: The file in it that stands for all, on which runs lock each other out.
        overwrite: Whether there may be files in it.
        option: What names another folder, for hints.

    Raises:
        OutputError: It is no folder, cannot be made, or has files in it.
        LockedError: Another run fills it.
    """
    was_there = os.path.exists(folder)
    made(folder, option)
    try:
        with locked([folder / marker]):
            if not overwrite and set(folder.iterdir()) - {lock_path(folder / marker)}:
                problem = "expected an empty or new folder, found files in it"
                hint = f"give another {option}, or --overwrite"
                raise OutputError("OutputExists", folder, problem, hint)
            yield
    finally:
        if not was_there:
            with suppress(OSError):  # there is something in it, as there should be
                folder.rmdir()


def made(folder: Path, option: str) -> None:
    """Make a folder, and those above it, if there is none."""
    if os.path.exists(folder) and not os.path.isdir(folder):
        problem = "expected a folder, found a file"
        raise OutputError("OutputNotCreatable", folder, problem, f"give another {option}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError("OutputNotCreatable", folder, str(error)) from error
