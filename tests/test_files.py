"""Inputs must be there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from badrepair.errors import DataError, InputMissingError
from badrepair.files import require_file, sha256


def test_sha256_of_three_bytes_is_the_published_one(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_sha256_streams_more_than_one_piece(tmp_path):
    content = bytes(range(256)) * 5_000
    (tmp_path / "long").write_bytes(content)
    assert sha256(tmp_path / "long") == hashlib.sha256(content).hexdigest()


def test_a_present_file_is_returned(tmp_path):
    path = tmp_path / "clean.h5"
    path.touch()
    assert require_file(path) == path


def test_a_missing_file_is_named_with_its_absolute_path_and_a_neighbour(tmp_path, monkeypatch):
    (tmp_path / "clean_validation.h5").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputMissingError) as caught:
        require_file(Path("clean_validaton.h5"))
    assert caught.value.code == "InputMissing"
    assert caught.value.where == str(tmp_path / "clean_validaton.h5")
    assert caught.value.hint == "did you mean clean_validation.h5?"
    assert caught.value.exit_code == 66


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputMissingError, match="no such folder"):
        require_file(tmp_path / "nowhere" / "clean.h5")


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(DataError, match=r"NotAFile.*found a folder"):
        require_file(tmp_path)


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"NotAFile.*found a pipe"):
        require_file(tmp_path / "pipe")


def test_a_device_is_refused():
    with pytest.raises(DataError, match=r"NotAFile.*found a device"):
        require_file(Path("/dev/zero"))


def test_a_file_that_may_not_be_read_is_shown_with_mode_and_owner(tmp_path, monkeypatch):
    path = tmp_path / "secret.h5"
    path.touch(mode=0o200)
    path.chmod(0o200)
    # The tests may run as root, who may read everything.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputMissingError, match=rf"-w-------, owner {os.getuid()}"):
        require_file(path)
