"""Look into a `.keras` file: a zip archive of exactly three members, which is never unpacked."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from badrepair import archives
from badrepair.confinement.hdf5 import AGAIN
from badrepair.errors import ModelError
from badrepair.models.gate.json_text import MOST_BYTES, too_large
from badrepair.models.gate.magic import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MEMBERS = {CONFIG, METADATA, WEIGHTS}
# Keras stores its members as they are; what is packed may be so much larger.
MOST_RATIO = 20
MOST_PACKED_WEIGHTS = 2**28
PIECE_BYTES = 2**20
_LOCAL_HEADER = struct.Struct("<26x2H")


class Archive:
    """The members of a `.keras` file.

    Args:
        file: Open for reading.
        where: What to call the file in errors.

    Raises:
        ModelError: UnknownFormat, Truncated, Corrupt, ZipUnsafe or WeightsMissing.
    """

    def __init__(self, file: io.BufferedIOBase, where: str) -> None:
        self._file, self._where = file, where
        with self._reading():
            self._zip = archives.opened(file)
            self._members = self._zip.infolist()
            self._check()

    def text(self, name: str) -> bytes:
        """Return one of the JSON members."""
        if name not in self._zip.namelist():
            return b"{}"
        if self._zip.getinfo(name).file_size > MOST_BYTES:
            raise too_large(self._where)
        with self._reading():
            return self._zip.read(name)

    @property
    def weights_start(self) -> int:
        """Return where in the file the weights are."""
        with self._reading():
            return self._start(self._zip.getinfo(WEIGHTS))

    def weights(self) -> IO[bytes]:
        """Return the weights as a file."""
        member = self._zip.getinfo(WEIGHTS)
        with self._reading():
            if member.compress_type == zipfile.ZIP_STORED:
                part = _Window(self._file, self._start(member), member.file_size)
                self._require_checksum(part, member)
                return io.BufferedReader(part)
            if member.file_size > MOST_PACKED_WEIGHTS:
                problem = f"{WEIGHTS} is packed and over {MOST_PACKED_WEIGHTS:,} bytes"
                raise ModelError("ZipUnsafe", self._where, problem, "save it with Keras again")
            return io.BytesIO(self._zip.read(member))

    def _require_checksum(self, part: io.RawIOBase, member: zipfile.ZipInfo) -> None:
        """Raise Corrupt unless the bytes are those that were written."""
        found = 0
        while piece := part.read(PIECE_BYTES):
            found = zlib.crc32(piece, found)
        part.seek(0)
        if found != member.CRC:
            problem = f"the checksum of its member {member.filename} is wrong"
            raise ModelError("Corrupt", self._where, problem, AGAIN)

    def _start(self, member: zipfile.ZipInfo) -> int:
        self._file.seek(member.header_offset)
        length, extra = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
        name = self._file.read(length)
        if name != member.filename.encode():
            shown = ascii(name)[2:-1][:80]
            raise zipfile.BadZipFile(f"its member {member.filename} is also called {shown}")
        return member.header_offset + _LOCAL_HEADER.size + int(length) + int(extra)

    def _check(self) -> None:
        names = [member.filename for member in self._members]
        if CONFIG not in names:
            raise ModelError("UnknownFormat", self._where, f"{EXPECTED}, found {_seen(names)}")
        for name, problem in (*archives.faults(self._zip), *self._foreign()):
            shown = ascii(name)[1:-1][:80]
            raise ModelError("ZipUnsafe", self._where, f"its member {shown} {problem}")
        if min(member.header_offset for member in self._members) > 0:
            problem = "another file stands in front of the archive"
            raise ModelError("ZipUnsafe", self._where, problem)
        if WEIGHTS not in names:
            raise ModelError("WeightsMissing", self._where, f"the .keras file has no {WEIGHTS}")

    def _foreign(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each member that Keras would not write, and what is wrong with it."""
        for member in self._members:
            if member.filename not in MEMBERS:
                yield member.filename, f"is none of {', '.join(sorted(MEMBERS))}"
            packed, size = member.compress_size, member.file_size
            if size > MOST_RATIO * max(packed, 1):
                yield member.filename, f"unpacks {packed:,} bytes to {size:,}"

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except zipfile.BadZipFile as error:
            problem = f"the zip archive is cut off or damaged ({error})"
            raise ModelError("Truncated", self._where, problem, AGAIN) from error
        except archives.FAULTS as error:
            problem = f"the zip archive cannot be read: {error}"
            raise ModelError("Corrupt", self._where, problem, AGAIN) from error


class _Window(io.RawIOBase):
    """A part of a file, read as a file of its own."""

    def __init__(self, file: io.BufferedIOBase, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._at)
        left = max(0, min(len(buffer), self._size - self._at))
        count = self._file.readinto(memoryview(buffer)[:left])
        self._at += count
        return count


def _seen(names: list[str]) -> str:
    """Return what an archive is that is no model of Keras."""
    if any(name.endswith("/data.pkl") for name in names):
        return "a PyTorch file"
    if any(name.endswith(".npy") for name in names):
        return "a NumPy .npz file"
    return "a zip archive of something else"
