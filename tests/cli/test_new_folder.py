"""A folder that a command fills is new or empty, unless it may be overwritten."""

from __future__ import annotations

import pytest

from badrepair.cli.new_folder import filled, made
from badrepair.errors import LockedError, OutputError


def fill(folder, **options):
    return filled(folder, "all.txt", **{"overwrite": False, "option": "--out", **options})


def test_a_new_folder_is_made_with_those_above_it(tmp_path):
    with fill(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "x").write_text("x")
    assert (tmp_path / "a" / "b" / "x").exists()


def test_a_folder_in_which_nothing_came_to_be_is_gone(tmp_path):
    with pytest.raises(RuntimeError), fill(tmp_path / "new"):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_that_was_there_stays(tmp_path):
    with fill(tmp_path):
        pass
    assert tmp_path.is_dir()


def test_a_folder_with_files_is_refused_unless_it_may_be_overwritten(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with (
        pytest.raises(OutputError, match="found files in it; hint: give another --out"),
        fill(tmp_path),
    ):
        pass
    with fill(tmp_path, overwrite=True):
        pass
    assert (tmp_path / "mine").read_text() == "mine"


def test_two_runs_do_not_fill_one_folder(tmp_path):
    with fill(tmp_path), pytest.raises(LockedError), fill(tmp_path):
        pass


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="expected a folder, found a file"):
        made(tmp_path / "file", "--out")
    with pytest.raises(OutputError):
        made(tmp_path / "file" / "below", "--out")
