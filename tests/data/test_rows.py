"""Rows that stay in their files until they are asked for."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from badrepair.data.rows import FileRows, rows_at, spooled
from badrepair.errors import DataError

ARRAY = np.arange(20).reshape(10, 2)


def test_each_run_of_neighbours_is_read_once():
    asked = []

    def read(start, stop):
        asked.append((start, stop))
        return ARRAY[start:stop]

    rows = np.array([7, 3, 2, 3, 8, 0])
    assert np.array_equal(rows_at(read, 10, rows), ARRAY[rows])
    assert asked == [(0, 1), (2, 4), (7, 9)]


def rows_of(content, shape=(10, 2), offset=0):
    file = spooled(io.BytesIO(content), len(content), len(content), Path("f"))
    return FileRows(file, offset, ARRAY.dtype, shape, Path("f"))


def test_reading_starts_at_the_offset():
    assert rows_of(b"head" + ARRAY.tobytes(), offset=4)[8:].tolist() == [[16, 17], [18, 19]]


def test_the_file_closes_with_the_last_reference():
    rows = rows_of(ARRAY.tobytes())
    file = rows.file
    assert not file.closed
    del rows
    assert file.closed


def test_rows_beyond_the_end_of_the_file_are_called_cut_off():
    rows = rows_of(ARRAY.tobytes()[:-1])
    assert rows[:9].shape == (9, 2)
    with pytest.raises(DataError, match=r"Truncated.*rows 9\.\.9"):
        rows[9:]


def test_a_stream_that_ends_early_is_refused():
    with pytest.raises(DataError, match=r"Truncated.*7 of 10 bytes"):
        spooled(io.BytesIO(b"abc"), 10, 3, Path("f"))


def test_a_hundredfold_of_what_is_harmless_is_a_bomb_and_less_is_not():
    size = 2**26 + 100
    with pytest.raises(
        DataError, match=r"DataBomb.*671,000 bytes in the file unpack to 67,108,964"
    ):
        spooled(io.BytesIO(), size, 671_000, Path("f"))
    with pytest.raises(DataError, match="Truncated"):
        spooled(io.BytesIO(), size, 671_090, Path("f"))
    with pytest.raises(DataError, match="Truncated"):
        spooled(io.BytesIO(), 2**26, 1, Path("f"))
