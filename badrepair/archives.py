"""Look into a zip archive from anybody before anything in it is unpacked.

Standard library only.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections import Counter
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedIOBase

# What zipfile has been seen to raise on damaged files; RuntimeError: encrypted.
FAULTS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError),
    *(LookupError, ValueError, OverflowError),
)
# zipfile lists all members at once: a kilobyte each, for 50 bytes in the file.
MOST_CONTENTS_BYTES = 2**20
_ENCRYPTED = 0x1
_UNPACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
# The last record of a zip, and the one that only larger zips have in front of it.
_END, _LARGE_END = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q")
_END_MAGIC, _LARGE_MAGIC = b"PK\5\6", b"PK\6\6"
_LONGEST_COMMENT = 2**16


def opened(file: IO[bytes] | BufferedIOBase) -> zipfile.ZipFile:
    """Return an archive whose table of contents is short enough to be listed.

    Args:
        file: Open for reading; it stays so.

    Raises:
        FAULTS: One of these errors.
    """
    stated = _contents_bytes(file)
    if stated > MOST_CONTENTS_BYTES:
        raise ValueError(f"its table of contents takes {stated:,} bytes")
    return zipfile.ZipFile(file)


def faults(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Yield the name of each member that no archive should have, and what is wrong with it."""
    members = archive.infolist()
    times = Counter(member.filename for member in members)
    for member in members:
        if times[member.filename] > 1:
            yield member.filename, "stands in the archive twice"
        if member.flag_bits & _ENCRYPTED:
            yield member.filename, "is encrypted"
        if member.compress_type not in _UNPACKED:
            yield member.filename, f"is packed in an unknown way ({member.compress_type})"


def _contents_bytes(file: IO[bytes] | BufferedIOBase) -> int:
    """Return how long the table of contents says that it is; 0 where there is none."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LONGEST_COMMENT - _END.size))
    tail = file.read()
    file.seek(0)
    plain = len(tail) - _END.size
    at = plain if tail[plain:].startswith(_END_MAGIC) else tail.rfind(_END_MAGIC)
    if at < 0 or len(tail) < at + _END.size:
        return 0  # zipfile says what is wrong
    stated = int(_END.unpack_from(tail, at)[5])
    large = tail.rfind(_LARGE_MAGIC, 0, at)
    if 0 <= large <= len(tail) - _LARGE_END.size:
        stated = max(stated % 0xFFFFFFFF, int(_LARGE_END.unpack_from(tail, large)[8]))
    return stated
