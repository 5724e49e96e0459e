"""The rows of a screening as CSV, JSON lines or Parquet, written one after the other."""

from __future__ import annotations

import csv
import importlib.util
import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from badrepair.errors import OptionError
from badrepair.journal.row import COLUMNS
from badrepair.tables.rendering import FORMULA_STARTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from badrepair.journal.row import Row

PATH = COLUMNS.index("path")
ROWS_A_GROUP = 10_000


def require_format(path: Path) -> None:
    """Refuse a file name that tells no format, or one that this installation cannot write.

    Raises:
        OptionError: UnknownFormat or ExtraMissing.
    """
    if path.suffix not in _WRITERS:
        known = ", ".join(_WRITERS)
        problem = f"expected a name that ends in one of {known}, found {path.suffix or 'none'}"
        raise OptionError("UnknownFormat", path, problem)
    if path.suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        problem = "expected the package of the extra parquet, found no pyarrow"
        raise OptionError("ExtraMissing", path, problem, "pip install 'badrepair[parquet]'")


def write(rows: Iterable[Row], path: Path) -> None:
    """Write rows in the format that the file's name tells.

    Args:
        rows: Read once, one after the other.
        path: Ends in .csv, .jsonl or .parquet.
    """
    _WRITERS[path.suffix](rows, path)


def _write_csv(rows: Iterable[Row], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            cells = list(row.cells())
            if cells[PATH].startswith(FORMULA_STARTS):
                cells[PATH] = f"'{cells[PATH]}"
            writer.writerow(cells)


def _write_jsonl(rows: Iterable[Row], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for row in rows:
            cells = dict(zip(COLUMNS, row.cells(), strict=True))
            file.write(json.dumps(cells, ensure_ascii=False, allow_nan=False) + "\n")


def _write_parquet(rows: Iterable[Row], path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema(zip(COLUMNS, _types(pyarrow), strict=True))
    left = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while group := [row.cells() for row in islice(left, ROWS_A_GROUP)]:
            columns = dict(zip(COLUMNS, zip(*group, strict=True), strict=True))
            writer.write_table(pyarrow.table(columns, schema))


def _types(pyarrow: Any) -> tuple[Any, ...]:
    # pyarrow ships no types.
    text, real, whole = pyarrow.string(), pyarrow.float64(), pyarrow.int64()
    return whole, text, real, whole, real, text, whole


_WRITERS: dict[str, Callable[[Iterable[Row], Path], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}
