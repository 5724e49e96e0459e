"""The file with a line a cell: it is on disk as soon as it is measured, and a next run goes on.

Lines of other grids may stand in it as well; they stay as they are.
"""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

from badrepair import strict_json, writing
from badrepair.errors import DataError, WriteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)


class Ledger:
    """The lines of a file, by the keys of their cells, and the way to add some.

    Args:
        path: The file; it need not be there.

    Raises:
        DataError: LedgerInvalid: something else stands in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[str, Mapping[str, Any]] = {}
        whole = self._read()
        if whole is not None:
            log.warning("%s: the last line was not finished when a run died; it is dropped", path)
            os.truncate(path, whole)

    def append(self, line: Mapping[str, Any]) -> None:
        """Write a line, and see to it that it is on disk.

        Raises:
            WriteError: It could not be written; the others stay.
        """
        try:
            with self.path.open("ab") as file:
                file.write(_text(line))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            problem = f"{error.strerror}; the lines so far are kept"
            raise WriteError("WriteFailed", self.path, problem, "run it again to go on") from error
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
