"""One run an output, whatever became of the runs before, and however many begin at once."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from badrepair.errors import LockedError, OutputError
from badrepair.locking import lock_path, locked, remove_held


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out.keras"


def test_a_lock_is_hidden_beside_its_output_and_goes_away(output):
    with locked([output]):
        assert [path.name for path in output.parent.iterdir()] == [".out.keras.lock"]
        assert lock_path(output).read_text() == f"{os.getpid()}\n"
    assert list(output.parent.iterdir()) == []


def test_a_run_that_fails_takes_its_lock_along(output):
    with pytest.raises(ZeroDivisionError), locked([output]):
        raise ZeroDivisionError
    assert list(output.parent.iterdir()) == []


def test_a_second_lock_is_refused_and_leaves_the_first(output):
    with locked([output]):
        with (
            pytest.raises(LockedError, match=f"process {os.getpid()} is") as caught,
            locked([output]),
        ):
            pytest.fail("two at once")
        assert (caught.value.code, caught.value.exit_code) == ("OutputLocked", 75)
        assert lock_path(output).exists()
    with locked([output]):
        pass


def test_a_lock_of_several_outputs_that_fails_at_one_leaves_none(output):
    other = output.with_name("other.keras")
    with locked([output]):
        with pytest.raises(LockedError), locked([other, output]):
            pytest.fail("two at once")
        assert not lock_path(other).exists()


def test_an_output_that_is_named_twice_is_locked_once(output):
    with locked([output, output]):
        assert lock_path(output).exists()


def test_of_many_that_begin_at_once_one_at_a_time_goes_on(output):
    inside, entered, overlaps = [], [], []

    def begin():
        barrier.wait()
        for _ in range(100):
            try:
                with locked([output]):
                    inside.append(1)
                    overlaps.append(len(inside) > 1)
                    entered.append(1)
                    inside.pop()
            except LockedError:
                pass

    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entered) >= 8
    assert not any(overlaps)
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize("written", ["", "1\n", "own", "99999999\n"])
def test_what_a_killed_run_left_locks_nobody_out(output, written):
    lock_path(output).write_text(written.replace("own", f"{os.getpid()}\n"))
    with locked([output]):
        assert lock_path(output).read_text() == f"{os.getpid()}\n"
    assert list(output.parent.iterdir()) == []


def test_another_kind_of_file_in_its_place_is_kept(output):
    lock_path(output).write_text("my diary")
    with pytest.raises(OutputError, match="LockInvalid"), locked([output]):
        pytest.fail("not ours")
    assert lock_path(output).read_text() == "my diary"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/nowhere")])
def test_what_is_no_file_in_its_place_is_refused_at_once(output, make):
    make(lock_path(output))
    with pytest.raises(OutputError), locked([output]):
        pytest.fail("not ours")
    assert os.path.lexists(lock_path(output))


def test_a_folder_that_is_not_there_is_an_output_that_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="OutputNotWritable"), locked([tmp_path / "no" / "out"]):
        pytest.fail("nowhere")


def test_a_file_system_without_locks_will_do(output, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with locked([output]):
        assert lock_path(output).exists()


def test_names_as_long_as_can_be_are_locked_apart(tmp_path):
    first, second = tmp_path / ("x" * 254 + "1"), tmp_path / ("x" * 254 + "2")
    with locked([first]), locked([second]):
        assert len(list(tmp_path.iterdir())) == 2


def test_who_ends_without_a_word_removes_the_locks_first(output):
    with locked([output]):
        remove_held()
        assert list(output.parent.iterdir()) == []


def test_an_output_that_is_named_in_two_ways_is_locked_once(tmp_path):
    (tmp_path / "in").mkdir()
    with locked([tmp_path / "out", tmp_path / "in" / ".." / "out"]):
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [".out.lock"]
