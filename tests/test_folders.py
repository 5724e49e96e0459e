"""Folders are looked through whole, as long as that can end."""

from __future__ import annotations

import pytest

from badrepair import folders
from badrepair.data import read
from badrepair.data.pictures import find_pictures
from badrepair.errors import DataError, InputMissingError
from badrepair.folders import files_below
from badrepair.records import identity
from badrepair.unchanged import Snapshot


@pytest.fixture
def nested(tmp_path):
    """Return a folder with a file in itself and one in each of two others."""
    for name in ("a.png", "0/b.png", "1/c.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path


def test_all_files_below_are_listed_and_no_folder(nested):
    assert {path.relative_to(nested).as_posix() for path in files_below(nested)} == {
        "a.png",
        "0/b.png",
        "1/c.png",
    }


def test_a_link_to_a_folder_is_not_followed(nested):
    (nested / "round").symlink_to(nested)
    assert len(listed(nested)) == 3


def listed(path):
    return list(files_below(path))


def snapped(path):
    return Snapshot.of([path])


@pytest.mark.parametrize("look", [listed, find_pictures, read, identity, snapped])
def test_a_folder_of_too_many_files_is_refused_wherever_it_is_looked_through(
    nested, monkeypatch, look
):
    monkeypatch.setattr(folders, "MOST_FILES", 1)
    with pytest.raises(DataError, match="at most 1 files in the folder, found more") as refused:
        look(nested)
    assert refused.value.code == "LimitExceeded"
    assert refused.value.where == str(nested)


def test_a_folder_that_may_not_be_looked_into_is_not_passed_over(nested, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", denied)
    with pytest.raises(InputMissingError, match="Permission denied"):
        listed(nested)
