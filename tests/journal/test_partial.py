"""Rows that were found are not lost, whenever the run that found them dies."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from journal_rows import WILD, row, unreadable

from badrepair.errors import DataError, LockedError, WriteError
from badrepair.journal import Journal, partial_path
from badrepair.journal.partial import LONGEST_LINE

RUN = {"detector": "d1", "source": "s1", "options": "o1", "versions": "v1"}
ROWS = [row(0, "a.png"), unreadable(1, WILD), *(row(index) for index in range(2, 40))]
# Appends rows in blocks of seven until somebody ends it; argv: the file, whether it is there.
WRITER = """
import sys
from pathlib import Path
from badrepair.journal import Journal
from journal_rows import row

with Journal(Path(sys.argv[1]), {"detector": "d1"}) as rows:
    rows.resume() if sys.argv[2] == "resume" else rows.begin()
    print(rows.count, flush=True)
    while True:
        rows.append([row(index, f"{index}.png") for index in range(rows.count, rows.count + 7)])
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.csv.part"


def begun(path, rows=(), run=None):
    """Make a file with rows, as a run that died leaves it."""
    with Journal(path, run or RUN) as journal:
        journal.begin()
        for one in rows:
            journal.append([one])


def resumed(path, run=None):
    """Return the rows that are found when the run goes on."""
    with Journal(path, run or RUN) as journal:
        journal.resume()
        found = list(journal.rows())
        assert journal.count == len(found)
    return found


def assert_invalid(path, words, code="PartialInvalid", run=None):
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(DataError) as caught, Journal(path, run or RUN) as journal:
        journal.resume()
    assert caught.value.code == code
    assert words in caught.value.problem
    assert "\n" not in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_the_file_stands_beside_the_output(tmp_path):
    assert partial_path(tmp_path / "rows.csv") == tmp_path / "rows.csv.part"


def test_rows_are_there_as_soon_as_they_are_written(path):
    with Journal(path, RUN) as journal:
        journal.begin()
        for number, one in enumerate(ROWS, start=1):
            journal.append([one])
            # What another process would see.
            assert path.read_bytes().count(b"\n") == number + 1
        assert list(journal.rows()) == ROWS
    assert resumed(path) == ROWS


def test_rows_are_on_the_disk_itself_before_the_next_ones_are_found(path, monkeypatch):
    flushed, fsync = [], os.fsync

    def noted(file):
        flushed.append(os.fstat(file).st_size)
        fsync(file)

    monkeypatch.setattr(os, "fsync", noted)
    with Journal(path, RUN) as journal:
        journal.begin()
        for one in ROWS[:3]:
            journal.append([one])
            assert flushed[-1] == path.stat().st_size


def test_a_run_goes_on_behind_the_last_row(path):
    begun(path, ROWS[:17])
    with Journal(path, RUN) as journal:
        journal.resume()
        journal.append(ROWS[journal.count :])
    assert resumed(path) == ROWS


def test_no_row_is_lost_or_repeated_wherever_the_file_breaks_off(path):
    begun(path, ROWS[:6])
    content = path.read_bytes()
    lines = content.split(b"\n")
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        with Journal(path, RUN) as journal:
            journal.resume()
            whole = max(0, content[:length].count(b"\n") - 1)
            assert journal.count == whole
            journal.append(ROWS[journal.count : 6])
        assert path.read_bytes() == content
    assert len(lines) == 8


def test_what_stands_behind_the_last_row_is_cut_off(path):
    begun(path, ROWS[:3])
    content = path.read_bytes()
    # Blocks that a power cut left behind.
    path.write_bytes(content + bytes(3000))
    assert resumed(path) == ROWS[:3]
    assert path.read_bytes() == content


def test_rows_have_to_follow_each_other(path):
    with Journal(path, RUN) as journal:
        journal.begin()
        journal.append(ROWS[:2])
        for wrong in (ROWS[1:3], ROWS[3:5], [ROWS[2], ROWS[2]]):
            with pytest.raises(ValueError, match="rows from 2 on"):
                journal.append(wrong)
    assert resumed(path) == ROWS[:2]


@pytest.mark.parametrize("part", RUN)
def test_rows_of_another_run_are_refused_by_what_differs(path, part):
    begun(path, ROWS[:3])
    assert_invalid(path, f"another {part}", "PartialOther", {**RUN, part: "other"})
    assert resumed(path) == ROWS[:3]


def test_rows_of_another_schema_are_refused(path):
    begun(path, ROWS[:3])
    head, rest = path.read_bytes().split(b"\n", 1)
    changed = json.dumps({**json.loads(head), "schema": 2}).encode()
    path.write_bytes(changed + b"\n" + rest)
    assert_invalid(path, "another version", "PartialOther")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello\n", "another kind of file"),
        (b"index,path\n0,a\n", "another kind of file"),
        (b"[]\n", "another kind of file"),
        (b"\xff\xfe\n", "another kind of file"),
        (b"[" * 100_000 + b"\n", "another kind of file"),
        (bytes(1000), "another kind of file"),
    ],
)
def test_another_kind_of_file_is_refused_and_left_alone(path, content, words):
    path.write_bytes(content)
    assert_invalid(path, words)
    with pytest.raises(DataError, match="PartialInvalid"):
        Journal(path, RUN).discard()
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[3]",
        b"[2, NaN]",
        b"[" * 100_000,
        b"\xff",
        b" " * (LONGEST_LINE + 10),
        b'[0, "", "clean", 0.0, 4, 1.0, 0, "", ""]',
    ],
)
def test_a_line_in_the_middle_that_is_no_row_is_refused(path, line):
    begun(path, ROWS[:2])
    path.write_bytes(path.read_bytes() + line + b"\n" + b'[3, "", "clean"')
    assert_invalid(path, "rows of an unfinished run")


def test_a_head_that_was_being_written_is_written_anew(path):
    begun(path)
    head = path.read_bytes()
    for length in (0, 1, len(head) - 1):
        path.write_bytes(head[:length])
        assert resumed(path) == []
        assert path.read_bytes() == head


def test_a_file_that_is_there_is_not_begun_again(path):
    begun(path, ROWS[:3])
    with pytest.raises(LockedError), Journal(path, RUN) as journal:
        journal.begin()
    assert resumed(path) == ROWS[:3]


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_file_of_its_own_is_refused_and_never_hangs(path, tmp_path, kind):
    if kind == "link":
        begun(tmp_path / "elsewhere", ROWS[:3])
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    assert_invalid(path, "no file of its own")
    with pytest.raises(DataError, match="no file of its own"):
        Journal(path, RUN).discard()
    assert os.path.lexists(path)


def test_two_runs_do_not_write_one_file(path):
    begun(path, ROWS[:3])
    with Journal(path, RUN) as first:
        first.resume()
        with pytest.raises(LockedError, match="another run") as caught, Journal(path, RUN) as other:
            other.resume()
        assert caught.value.exit_code == 75
        with pytest.raises(LockedError):
            Journal(path, RUN).discard()
        first.append([ROWS[3]])
    assert resumed(path) == ROWS[:4]


def test_a_file_system_without_locks_will_do(path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    begun(path, ROWS[:3])
    assert resumed(path) == ROWS[:3]


def stopped(path, rows):
    """Write rows and stop as Ctrl-C does."""
    with Journal(path, RUN) as journal:
        journal.begin()
        journal.append(rows)
        raise KeyboardInterrupt


def test_a_run_that_found_nothing_leaves_nothing(path):
    with pytest.raises(KeyboardInterrupt):
        stopped(path, [])
    assert not path.exists()


def test_a_run_that_found_something_leaves_it(path):
    with pytest.raises(KeyboardInterrupt):
        stopped(path, ROWS[:1])
    assert resumed(path) == ROWS[:1]


def test_any_unfinished_run_can_be_given_up(path):
    for rows in ([], ROWS[:3]):
        begun(path, rows, run={"detector": "another"})
        Journal(path, RUN).discard()
        assert not path.exists()


def test_a_full_disk_is_one_line_and_loses_no_row(path, monkeypatch):
    write, room = os.write, [10_000]

    def limited(file, content):
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = write(file, bytes(content[: min(room[0], 100)]))
        room[0] -= done
        return done

    with Journal(path, RUN) as journal:
        journal.begin()
        journal.append(ROWS[:3])
        monkeypatch.setattr(os, "write", limited)
        room[0] = 150
        with pytest.raises(WriteError, match=r"WriteFailed.*No space left.*--resume"):
            journal.append(ROWS[3:10])
        monkeypatch.setattr(os, "write", write)
    found = resumed(path)
    assert 3 <= len(found) < 10
    assert found == ROWS[: len(found)]


def test_memory_does_not_grow_with_the_rows(path):
    import tracemalloc

    with Journal(path, RUN) as journal:
        journal.begin()
        journal.append([row(index, "x" * 100) for index in range(20_000)])
        tracemalloc.start()
        try:
            assert sum(1 for _ in journal.rows()) == 20_000
            assert tracemalloc.get_traced_memory()[1] < 2**20
        finally:
            tracemalloc.stop()


@pytest.mark.slow
def test_killed_at_any_time_it_goes_on_with_whole_rows(tmp_path):
    path, random_times = tmp_path / "rows.part", random.Random(0)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    last = 0
    for number in range(8):
        command = [sys.executable, "-c", WRITER, str(path), "resume" if number else "begin"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert int(process.stdout.readline()) == last
            time.sleep(random_times.uniform(0, 0.3))
            process.send_signal(signal.SIGKILL)
        found = resumed(path, {"detector": "d1"})
        assert found == [row(index, f"{index}.png") for index in range(len(found))]
        assert len(found) >= last
        last = len(found)
    assert last > 100
