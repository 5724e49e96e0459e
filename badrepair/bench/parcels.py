"""How a network gets to a worker: as a folder that both see, or as the bytes of its files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from badrepair.errors import WriteError

# A folder, or the content of each of its files by its name below the folder.
Parcel = Path | Mapping[str, bytes]


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, by its name from there on."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@contextmanager
def opened(parcel: Parcel) -> Iterator[Path]:
    """Yield a folder with what is in the parcel; one that was made for it is gone afterwards."""
    if isinstance(parcel, Path):
        yield parcel
        return
    with tempfile.TemporaryDirectory(prefix="badrepair-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _fill(folder, parcel)
        yield folder


def publish(files: Mapping[str, bytes], folder: Path) -> None:
    """Make a folder that appears whole or not at all, also if the machine stops meanwhile.

    Args:
        files: The content of each file by its name.
        folder: Must not be there; nobody else may be making it.

    Raises:
        WriteError: The disk does not take it; nothing is left of it.
    """
    aside = folder.with_name(f".{folder.name}.tmp")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        _fill(aside, files)
        aside.rename(folder)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        problem = f"the network was not stored: {error.strerror}"
        raise WriteError("WriteFailed", folder, problem) from error


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
