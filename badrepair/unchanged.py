"""Find out whether input files are still what they were when a run began to read them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from badrepair.errors import DataError
from badrepair.folders import files_below

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# Of a file: its size, the time of its last change in nanoseconds, and its number on the disk.
State = tuple[int, int, int]


@dataclass(frozen=True)
class Snapshot:
    """How files were at one moment; a file that was not there then is left out.

    Args:
        states: By file; of folders, all files below.
        folders: In which no file may appear.
    """

    states: Mapping[Path, State]
    folders: tuple[Path, ...] = ()

    @classmethod
    def of(cls, inputs: Iterable[Path]) -> Snapshot:
        """Return how files, and all files below folders, are now."""
        named = tuple(inputs)
        folders = tuple(path for path in named if os.path.isdir(path))
        found = [*named, *chain.from_iterable(map(files_below, folders))]
        states = ((path, _state(path)) for path in found if path not in folders)
        return cls({path: state for path, state in states if state is not None}, folders)

    def require_same(self) -> None:
        """Check that nothing has changed since.

        Raises:
            DataError: InputChanged, with the first file that did.
        """
        for path, before in self.states.items():
            now = _state(path)
            if now != before:
                raise _changed(path, _difference(before, now))
        for path in chain.from_iterable(map(files_below, self.folders)):
            if path not in self.states:
                raise _changed(path, "a file that was not there then")


def _state(path: Path) -> State | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _difference(before: State, now: State | None) -> str:
    if now is None:
        return "no file any more"
    if now[0] != before[0]:
        return f"{now[0]:,} bytes instead of {before[0]:,}"
    return "another file" if now[2] != before[2] else "a later change"


def _changed(path: Path, found: str) -> DataError:
    problem = f"expected the file as it was when the run began, found {found}"
    hint = "nothing was written; run again when nobody changes it"
    return DataError("InputChanged", path, problem, hint)
