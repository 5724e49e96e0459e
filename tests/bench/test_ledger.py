"""The file of lines: what was written stays, and what was not finished is cut off."""

from __future__ import annotations

import json
import logging
import resource

import pytest

from badrepair.bench.ledger import Ledger
from badrepair.errors import DataError, WriteError


def line(key, **more):
    return {"schema": 1, "key": key, "status": "done", **more}


def text(*lines):
    return "".join(f"{json.dumps(one)}\n" for one in lines)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cells.jsonl"


def test_a_line_is_in_the_file_as_soon_as_it_is_appended(path):
    ledger = Ledger(path)
    for number, key in enumerate("ab", 1):
        ledger.append(line(key))
        assert len(path.read_text().splitlines()) == number
    assert path.read_text() == text(line("a"), line("b"))
    assert Ledger(path).lines == ledger.lines == {"a": line("a"), "b": line("b")}


def test_a_file_that_is_not_there_has_no_lines_and_is_not_made(path):
    assert Ledger(path).lines == {}
    assert not path.exists()


@pytest.mark.parametrize("torn", ['{"schema": 1, "ke', json.dumps(line("c"))])
@pytest.mark.parametrize("write", [lambda ledger: ledger.mend(), lambda ledger: None])
def test_a_line_that_was_not_finished_is_cut_off_by_who_writes_and_said(path, torn, write, caplog):
    path.write_text(text(line("a"), line("b")) + torn)
    ledger = Ledger(path)
    with caplog.at_level(logging.WARNING):
        write(ledger)
        ledger.append(line("d"))
        ledger.append(line("e"))
    assert caplog.text.count("the last line was not finished") == 1
    assert path.read_text() == text(line("a"), line("b"), line("d"), line("e"))


def test_who_reads_leaves_out_a_line_that_is_being_written_and_changes_nothing(path, caplog):
    path.write_text(text(line("a")) + '{"key": "b"')
    assert list(Ledger(path).lines) == ["a"]
    assert path.read_text() == text(line("a")) + '{"key": "b"'
    assert caplog.text == ""


def test_nothing_is_said_of_a_whole_file(path, caplog):
    path.write_text(text(line("a")))
    Ledger(path)
    assert caplog.text == ""


def test_of_two_lines_of_one_cell_the_last_counts(path):
    path.write_text(text(line("a", n=1), line("b"), line("a", n=2)))
    assert list(Ledger(path).lines.values()) == [line("b"), line("a", n=2)]


def test_arranged_lines_stand_before_those_of_others_which_keep_their_order(path):
    path.write_text(text(line("x"), line("b"), line("y"), line("a", n=1)))
    Ledger(path).arrange([line("a", n=2), line("b")])
    assert path.read_text() == text(line("a", n=2), line("b"), line("x"), line("y"))


@pytest.mark.parametrize(
    "bad",
    ["no JSON", "[]", "{}", '{"key": 5}', '{"key": "a", "key": "b"}', '{"key": "a", "n": NaN}'],
)
def test_something_else_in_the_file_is_told_with_its_place_and_nothing_is_changed(path, bad):
    path.write_text(f"{text(line('a'))}{bad}\n{text(line('b'))}")
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"line 2, found") as caught:
        Ledger(path)
    assert caught.value.code == "LedgerInvalid"
    assert path.read_bytes() == before


def test_a_line_that_cannot_be_written_leaves_the_others(path):
    ledger = Ledger(path)
    ledger.append(line("a"))
    path.rename(path.with_name("kept"))
    path.mkdir()
    with pytest.raises(WriteError, match="the lines so far are kept"):
        ledger.append(line("b"))
    assert list(ledger.lines) == ["a"]


def test_half_a_line_on_a_full_disk_is_taken_back(path):
    ledger = Ledger(path)
    ledger.append(line("a"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(text(line("a"))) + 10, limits[1]))
    try:
        with pytest.raises(WriteError, match="the lines so far are kept"):
            ledger.append(line("b"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == text(line("a"))
    ledger.append(line("c"))
    assert path.read_text() == text(line("a"), line("c"))


def test_half_a_line_that_cannot_be_taken_back_now_is_before_the_next_one(path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    ledger = Ledger(path)
    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", fail)
        broken.setattr("os.truncate", fail)
        with pytest.raises(WriteError):
            ledger.append(line("b"))
    ledger.append(line("c"))
    assert path.read_text() == text(line("c"))
