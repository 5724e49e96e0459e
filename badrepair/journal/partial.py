"""Rows that are on disk as soon as they are found, so that a run that dies loses nothing.

They stand in a partial file beside the output: a line that says of which run, and a line of JSON
a row. A line that was being written when the run died is cut off when it goes on.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from typing import TYPE_CHECKING

from badrepair import locking, strict_json
from badrepair.companions import companion
from badrepair.errors import DataError, LockedError, WriteError
from badrepair.journal.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import IO

SCHEMA = 1
LONGEST_LINE = 2**17
_KIND = {"badrepair": "screening"}
# What the file of any run begins with.
_MARK = json.dumps(_KIND).removesuffix("}").encode()


def partial_path(output: Path) -> Path:
    """Return where the rows stand while an output is made."""
    return companion(output, "{}.part")


class Journal:
    """The rows of one run in a file that grows; a context manager, in which it is locked.

    `count` is the number of rows that are in it.

    Args:
        path: The partial file.
        run: What decides about the rows, by name, each as a text such as a digest.
    """

    def __init__(self, path: Path, run: Mapping[str, str]) -> None:
        self.path = path
        self.count = 0
        self.is_open = False
        self._run = dict(run)
        self._file = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A run that found nothing leaves nothing to go on with.
        if self.is_open and error is not None and not self.count:
            self.remove()
        if self._file >= 0:
            os.close(self._file)
        self._file, self.is_open = -1, False

    def begin(self) -> None:
        """Make the file, which must not be there.

        Raises:
            LockedError: Another process has just made it.
        """
        try:
            self._open(os.O_CREAT | os.O_EXCL)
        except FileExistsError as error:
            raise self._locked() from error
        self._write(self._head())
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.is_open = True

    def resume(self) -> None:
        """Open the file, and cut off what follows the last whole row.

        Raises:
            DataError: It is of another run, or damaged.
            LockedError: Another process is writing it.
        """
        self._open(0)
        start = os.pread(self._file, LONGEST_LINE, 0)
        if b"\n" not in start and self._head().startswith(start):
            os.ftruncate(self._file, 0)
            self._write(self._head())
        whole = len(self._head())
        for line, row in self._lines():
            self.count, whole = row.index + 1, whole + len(line)
        os.ftruncate(self._file, whole)
        self.is_open = True

    def rows(self) -> Iterator[Row]:
        """Yield all rows from the first one on."""
        for _, row in self._lines():
            yield row

    def append(self, rows: Sequence[Row]) -> None:
        """Write the next rows, and see to it that they are on disk.

        Raises:
            WriteError: They could not all be written; the others stay.
        """
        if [row.index for row in rows] != list(range(self.count, self.count + len(rows))):
            raise ValueError(f"expected rows from {self.count} on")
        lines = [json.dumps(row.to_json(), allow_nan=False) for row in rows]
        self._write("".join(f"{line}\n" for line in lines).encode())
        self.count += len(rows)

    def remove(self) -> None:
        """Remove the file: its rows stand elsewhere."""
        self.path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the file of an unfinished screening, whichever that was.

        Raises:
            DataError: It is something else.
            LockedError: Another process is writing it.
        """
        with self:
            self._open(0)
            start = os.pread(self._file, len(_MARK), 0)
            if not _MARK.startswith(start):
                raise self._invalid("another kind of file")
            self.path.unlink()

    def _open(self, flags: int) -> None:
        """Open the file itself, no link, and keep others from writing it."""
        flags |= os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            self._file = os.open(self.path, flags, 0o666)
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.ENXIO, errno.EISDIR}:
                raise
            raise self._invalid("something that is no file of its own") from error
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise self._invalid("something that is no file of its own")
        if not locking.take(self._file):
            raise self._locked()

    def _head(self) -> bytes:
        head = {**_KIND, "schema": SCHEMA, **self._run}
        return f"{json.dumps(head)}\n".encode()

    def _lines(self) -> Iterator[tuple[bytes, Row]]:
        """Yield each whole line with its row; a torn one at the end is passed over."""
        with self.path.open("rb") as file:
            self._require_own(file.readline(LONGEST_LINE))
            for index, line in enumerate(_whole_lines(file)):
                try:
                    yield line, Row.from_json(strict_json.parsed(line), index)
                except ValueError as error:
                    raise self._invalid(str(error)) from error

    def _require_own(self, line: bytes) -> None:
        try:
            head = strict_json.parsed(line)
        except ValueError as error:
            raise self._invalid("another kind of file") from error
        if not isinstance(head, dict) or not line.startswith(_MARK):
            raise self._invalid("another kind of file")
        other = [name for name, text in self._run.items() if head.get(name) != text]
        if other or line != self._head():
            named = " and ".join(other) or "version"
            problem = f"expected the rows of this run, found those of one with another {named}"
            raise DataError("PartialOther", self.path, problem, "--overwrite starts anew")

    def _write(self, content: bytes) -> None:
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError as error:
            problem = f"{error.strerror}; the rows so far are kept"
            raise WriteError("WriteFailed", self.path, problem, "--resume goes on") from error

    def _locked(self) -> LockedError:
        return LockedError("OutputLocked", self.path, "another run writes it", "wait for its end")

    def _invalid(self, found: str) -> DataError:
        problem = f"expected the rows of an unfinished run, found {found[:200]}"
        return DataError("PartialInvalid", self.path, problem, "move it away")


def _whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield lines but for a torn one at the end; a line that no row is so long as is no such."""
    while line := file.readline(LONGEST_LINE):
        if line.endswith(b"\n") or len(line) == LONGEST_LINE:
            yield line
