"""The same rows in three formats, whatever the files are called."""

from __future__ import annotations

import csv
import importlib.util
import json
import tracemalloc

import pytest
from journal_rows import WILD, row, unreadable
from pyarrow import parquet

from badrepair.errors import OptionError
from badrepair.journal import COLUMNS, formats, printable, require_format, write

ROWS = [row(0, "a.png", entropy=0.1 + 0.2), unreadable(1, WILD), row(2, "=1+1", p_value=1.0)]
ENDINGS = (".csv", ".jsonl", ".parquet")


def written(tmp_path, ending, rows=ROWS):
    path = tmp_path / f"rows{ending}"
    write(iter(rows), path)
    return path


def test_csv_has_a_header_and_a_line_a_row(tmp_path):
    lines = written(tmp_path, ".csv").read_text("utf-8").split("\n")
    assert lines[0] == ",".join(COLUMNS)
    assert lines[1] == "0,a.png,0.30000000000000004,4,1.0,clean,0"
    assert len(lines) == 5
    assert lines[-1] == ""


def test_a_cell_of_csv_is_never_a_formula(tmp_path):
    with written(tmp_path, ".csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[2]["path"] == "'=1+1"
    assert rows[1]["path"] == "'" + printable(WILD)
    assert (rows[1]["entropy"], rows[1]["class"]) == ("", "")


def test_json_lines_are_objects_of_the_same_columns(tmp_path):
    lines = written(tmp_path, ".jsonl").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    assert [tuple(one.values()) for one in found] == [one.cells() for one in ROWS]
    assert all(tuple(one) == COLUMNS for one in found)


def test_parquet_has_the_same_columns_with_their_types(tmp_path):
    table = parquet.read_table(written(tmp_path, ".parquet"))
    assert tuple(table.column_names) == COLUMNS
    assert [str(kind) for kind in table.schema.types] == [
        *("int64", "string", "double", "int64", "double", "string", "int64"),
    ]
    assert [tuple(one.values()) for one in table.to_pylist()] == [one.cells() for one in ROWS]


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_rows_are_the_same_file(tmp_path, ending):
    first = written(tmp_path, ending).read_bytes()
    assert written(tmp_path, ending).read_bytes() == first


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_row_is_a_file_too(tmp_path, ending):
    path = written(tmp_path, ending, [])
    if ending == ".parquet":
        assert parquet.read_table(path).num_rows == 0
    else:
        assert path.read_text("utf-8").count("\n") == (ending == ".csv")


@pytest.mark.parametrize("ending", ENDINGS)
def test_memory_does_not_grow_with_the_rows(tmp_path, ending, monkeypatch):
    monkeypatch.setattr(formats, "ROWS_A_GROUP", 100)
    written(tmp_path, ending)
    tracemalloc.start()
    try:
        path = written(tmp_path, ending, (row(index, "x" * 100) for index in range(10_000)))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    if ending == ".parquet":
        assert parquet.ParquetFile(path).num_row_groups == 100
        assert parquet.read_table(path)["index"].to_pylist() == list(range(10_000))


@pytest.mark.parametrize("name", ["rows", "rows.txt", "rows.CSV", "rows.npz", ".csv"])
def test_other_names_are_refused(tmp_path, name):
    with pytest.raises(OptionError, match=r"UnknownFormat.*\.csv, \.jsonl, \.parquet"):
        require_format(tmp_path / name)


def test_without_the_extra_parquet_is_refused_in_one_line(tmp_path, monkeypatch):
    require_format(tmp_path / "rows.parquet")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"ExtraMissing.*pip install 'badrepair\[parquet\]'"):
        require_format(tmp_path / "rows.parquet")
    require_format(tmp_path / "rows.csv")
