"""How often a JPEG file goes over its pixels: each scan of a few bytes decodes all of them."""

from __future__ import annotations

import os
import re
from typing import IO, TYPE_CHECKING

from badrepair.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

# Progressive files have about ten.
MOST_SCANS = 100
MOST_SEGMENTS = 10_000
# No byte of pixels, no restart among them, and none that only fills.
_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")
_BEGINNING, _END, _SCAN = 0xD8, 0xD9, 0xDA
_PIECE_BYTES = 4096


def require_few_scans(path: Path) -> None:
    """Refuse a JPEG file that takes long to decode for its size.

    Raises:
        DataError: ImageTooLarge: more scans or segments than encoders write.
    """
    scans = segments = 0
    with path.open("rb") as file:
        while (marker := _next_marker(file)) not in {None, _END}:
            scans += marker == _SCAN
            segments += 1
            if scans > MOST_SCANS or segments > MOST_SEGMENTS:
                problem = f"more than {MOST_SCANS} scans or {MOST_SEGMENTS:,} segments"
                raise DataError("ImageTooLarge", path, problem, "save it as a baseline JPEG")
            if marker != _BEGINNING:
                _pass_over(file)


def _next_marker(file: IO[bytes]) -> int | None:
    """Return the next marker, after which the file stands then; None at the end."""
    while piece := file.read(_PIECE_BYTES):
        found = _MARKER.search(piece)
        if found:
            file.seek(found.end() - len(piece), os.SEEK_CUR)
            return found[1][0]
        if len(piece) > 1 and piece.endswith(b"\xff"):
            file.seek(-1, os.SEEK_CUR)
    return None


def _pass_over(file: IO[bytes]) -> None:
    """Go to the end of a segment, whose length counts its own two bytes."""
    length = int.from_bytes(file.read(2), "big")
    file.seek(max(0, length - 2), os.SEEK_CUR)
