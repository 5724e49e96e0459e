"""An input that is not what it was any more is found out, whatever changed of it."""

from __future__ import annotations

import os

import pytest

from badrepair.errors import DataError
from badrepair.unchanged import Snapshot


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "clean.h5"
    path.write_bytes(b"images")
    return path


def changed(snapshot):
    with pytest.raises(DataError) as caught:
        snapshot.require_same()
    assert (caught.value.code, caught.value.exit_code) == ("InputChanged", 65)
    return caught.value


def test_a_file_that_is_only_read_stays_the_same(file):
    snapshot = Snapshot.of([file])
    file.read_bytes()
    file.chmod(0o400)
    snapshot.require_same()


def test_more_bytes_are_told_with_both_numbers(file):
    snapshot = Snapshot.of([file])
    file.write_bytes(bytes(1234))
    assert "1,234 bytes instead of 6" in str(changed(snapshot))


def test_as_many_other_bytes_are_a_later_change(file):
    snapshot = Snapshot.of([file])
    before = file.stat().st_mtime_ns
    file.write_bytes(b"IMAGES")
    os.utime(file, ns=(0, before + 1))
    assert "a later change" in str(changed(snapshot))


def test_another_file_of_the_same_size_and_time_is_another_file(file):
    snapshot = Snapshot.of([file])
    other = file.with_name("other")
    other.write_bytes(b"IMAGES")
    os.utime(other, ns=(0, file.stat().st_mtime_ns))
    other.replace(file)
    assert "another file" in str(changed(snapshot))


def test_a_file_that_is_gone_is_told(file):
    snapshot = Snapshot.of([file])
    file.unlink()
    error = changed(snapshot)
    assert error.where == str(file)
    assert "no file any more" in error.problem


def test_a_file_that_was_not_there_is_no_input(file):
    snapshot = Snapshot.of([file, file.with_name("none")])
    file.with_name("none").write_bytes(b"")
    snapshot.require_same()


def test_a_link_is_what_it_leads_to(file):
    link = file.with_name("link.h5")
    link.symlink_to(file)
    snapshot = Snapshot.of([link])
    file.write_bytes(b"other images")
    assert changed(snapshot).where == str(link)


@pytest.mark.parametrize("change", ["changed", "gone", "new"])
def test_a_folder_is_all_files_in_it(tmp_path, change):
    picture = tmp_path / "class" / "1.png"
    picture.parent.mkdir()
    picture.write_bytes(b"picture")
    snapshot = Snapshot.of([tmp_path])
    snapshot.require_same()
    if change == "changed":
        picture.write_bytes(b"another")
        os.utime(picture, ns=(0, 0))
    elif change == "gone":
        picture.unlink()
    else:
        picture = picture.with_name("2.png")
        picture.write_bytes(b"picture")
    assert changed(snapshot).where == str(picture)
