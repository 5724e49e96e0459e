"""The file with a line a cell: it is on disk as soon as it is measured, and a next run goes on.

Lines of other grids may stand in it as well; they stay as they are.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from badrepair import strict_json, writing
from badrepair.errors import DataError, WriteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)


class Ledger:
    """The lines of a file, by the keys of their cells, and the way to add some.

    A last line that is not finished is left out: a run writes it right now, or died meanwhile.
    Only who holds the lock of the file may write, and thereby cut it off.

    Args:
        path: The file; it need not be there.

    Raises:
        DataError: LedgerInvalid: something else stands in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[str, Mapping[str, Any]] = {}
        # Where an unfinished last line begins; None if there is none.
        self._torn = self._read()

    def mend(self) -> None:
        """Cut off a last line that is not finished.

        Raises:
            WriteError: It could not be cut off.
        """
        if self._torn is None:
            return
        log.warning("%s: the last line was not finished; it is dropped", self.path)
        try:
            self._cut(self._torn)
        except OSError as error:
            raise self._not_written(error) from error

    def append(self, line: Mapping[str, Any]) -> None:
        """Write a line, and see to it that it is on disk.

        Raises:
            WriteError: It could not be written; the others stay.
        """
        self.mend()
        end = None
        try:
            with self.path.open("ab") as file:
                end = file.tell()
                file.write(_text(line))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            # Half a line may be there, and the next one is not to stand behind it.
            self._torn = end
            with suppress(OSError):
                self._cut(end)
            raise self._not_written(error) from error
        self.lines[line["key"]] = line

    def arrange(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Write the file anew: these lines in this order, then those of other grids as they were.

        Raises:
            WriteError: It could not be written; the old one is still there.
        """
        first = {line["key"]: line for line in lines}
        self.lines = {**first, **{key: one for key, one in self.lines.items() if key not in first}}
        content = b"".join(map(_text, self.lines.values()))
        writing.write_atomically(self.path, content, overwrite=True)
        self._torn = None

    def _cut(self, end: int | None) -> None:
        if end is not None:
            os.truncate(self.path, end)
        self._torn = None

    def _not_written(self, error: OSError) -> WriteError:
        problem = f"{error.strerror}; the lines so far are kept"
        return WriteError("WriteFailed", self.path, problem, "run it again to go on")

    def _read(self) -> int | None:
        """Take in the lines; return where a torn one begins, None if there is none."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        *lines, torn = content.split(b"\n")
        for number, text in enumerate(lines, 1):
            line = self._line(text, number)
            # The last one counts, and its place is that of the last.
            self.lines.pop(line["key"], None)
            self.lines[line["key"]] = line
        return len(content) - len(torn) if torn else None

    def _line(self, text: bytes, number: int) -> dict[str, Any]:
        try:
            line = strict_json.parsed(text)
        except ValueError as error:
            raise self._invalid(number, str(error)) from error
        if not isinstance(line, dict) or not isinstance(line.get("key"), str):
            raise self._invalid(number, "something else")
        return line

    def _invalid(self, number: int, found: str) -> DataError:
        problem = f"expected the line of a cell in line {number}, found {found[:200]}"
        return DataError("LedgerInvalid", self.path, problem, "remove that line, or the file")


def _text(line: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(line, allow_nan=False)}\n".encode()
