"""Outputs appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from badrepair import writing
from badrepair.errors import OptionError, OutputError, WriteError
from badrepair.files import sha256
from badrepair.writing import check_writable, write_atomically, write_together


def test_bytes_are_written_whole_and_nothing_else_stays(tmp_path):
    write_atomically(tmp_path / "out.json", b"{}", overwrite=False)
    assert (tmp_path / "out.json").read_bytes() == b"{}"
    assert os.listdir(tmp_path) == ["out.json"]


def test_a_writer_gets_a_hidden_neighbour_with_the_same_suffix(tmp_path):
    seen = []

    def write(path):
        seen.append(path)
        path.write_text("model")

    write_atomically(tmp_path / "net.keras", write, overwrite=False)
    assert seen[0].parent == tmp_path
    assert seen[0].name.startswith(f".net.keras.tmp-{os.getpid()}-")
    assert seen[0].suffix == ".keras"
    assert (tmp_path / "net.keras").read_text() == "model"


def test_a_name_of_255_bytes_can_be_written(tmp_path):
    name = "x" * 250 + ".json"
    write_atomically(tmp_path / name, b"1", overwrite=False)
    assert os.listdir(tmp_path) == [name]


def test_the_mode_comes_from_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "out", b"", overwrite=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


def test_an_existing_file_stays_without_overwrite(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(OutputError) as caught:
        write_atomically(path, b"new", overwrite=False)
    assert (caught.value.code, caught.value.exit_code) == ("OutputExists", 73)
    assert "--overwrite" in caught.value.hint
    assert path.read_bytes() == b"old"


def test_an_existing_file_is_replaced_with_overwrite(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    write_atomically(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["out"]


def test_a_file_that_appears_meanwhile_wins(tmp_path):
    path = tmp_path / "out"

    def write(temporary):
        temporary.write_bytes(b"mine")
        path.write_bytes(b"theirs")

    with pytest.raises(OutputError, match="OutputExists"):
        write_atomically(path, write, overwrite=False)
    assert path.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["out"]


def test_file_systems_without_hard_links_are_served(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    write_atomically(tmp_path / "out", b"new", overwrite=False)
    assert (tmp_path / "out").read_bytes() == b"new"
    with pytest.raises(OutputError, match="OutputExists"):
        write_atomically(tmp_path / "out", b"newer", overwrite=False)


def full_disk(path):
    path.write_bytes(b"half")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_file_and_no_new_one(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(WriteError, match="No space left") as caught:
        write_atomically(path, full_disk, overwrite=True)
    assert (caught.value.code, caught.value.exit_code) == ("WriteFailed", 74)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("step", ["_flush", "_publish"])
def test_a_fault_in_any_later_step_leaves_the_old_file(tmp_path, monkeypatch, step):
    def fail(*args, **kwargs):
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "out").write_bytes(b"old")
    monkeypatch.setattr(writing, step, fail)
    with pytest.raises(WriteError, match="Input/output error"):
        write_atomically(tmp_path / "out", b"new", overwrite=True)
    assert (tmp_path / "out").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


def test_ctrl_c_cleans_up(tmp_path):
    def interrupted(path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "out", interrupted, overwrite=False)
    assert os.listdir(tmp_path) == []


def test_checking_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "out.keras", overwrite=False, inputs=[tmp_path / "in.h5"])
    assert os.listdir(tmp_path) == []


def test_checking_refuses_an_existing_output(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="OutputExists"):
        check_writable(tmp_path / "out", overwrite=False)
    check_writable(tmp_path / "out", overwrite=True)


def test_checking_refuses_a_missing_folder(tmp_path):
    with pytest.raises(OutputError, match="OutputFolderMissing"):
        check_writable(tmp_path / "no" / "out", overwrite=False)


def test_checking_refuses_a_folder_that_takes_no_files():
    with pytest.raises(OutputError, match="OutputNotWritable"):
        check_writable(Path("/proc/out.keras"), overwrite=False)


def test_checking_refuses_a_folder_and_a_device_even_with_overwrite(tmp_path):
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(OutputError, match="NotAFile"):
            check_writable(path, overwrite=True)


def test_checking_refuses_a_name_that_is_too_long(tmp_path):
    with pytest.raises(OutputError, match="OutputNotWritable"):
        check_writable(tmp_path / ("x" * 256), overwrite=False)


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_an_output_that_is_an_input_is_refused_through_links_too(tmp_path, link):
    source = tmp_path / "net.keras"
    source.write_bytes(b"model")
    getattr(tmp_path / "alias.keras", link)(source)
    for output in (source, tmp_path / "alias.keras"):
        with pytest.raises(OptionError) as caught:
            check_writable(output, overwrite=True, inputs=[source])
        assert (caught.value.code, caught.value.exit_code) == ("OutputIsInput", 2)


def test_files_that_belong_together_are_written_one_after_the_other(tmp_path):
    rows, record = tmp_path / "rows.csv", tmp_path / "rows.json"
    seen = []

    def write(path):
        path.write_bytes(b"abc")
        seen.append(sha256(path))

    write_together({rows: write, record: lambda path: path.write_text(seen[0])}, overwrite=False)
    assert rows.read_bytes() == b"abc"
    assert record.read_text() == sha256(rows)
    assert sorted(tmp_path.iterdir()) == [rows, record]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space"), KeyboardInterrupt()])
def test_of_files_that_belong_together_none_is_there_if_one_fails(tmp_path, error):
    def fail(path):
        path.write_bytes(b"a")
        raise error

    contents = {tmp_path / "rows.csv": b"abc", tmp_path / "rows.json": fail}
    with pytest.raises((WriteError, KeyboardInterrupt)):
        write_together(contents, overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_flushed_is_told_with_what_was_written(tmp_path, monkeypatch):
    really = writing._flush

    def flush(path):
        if path.is_dir():
            raise OSError(errno.EIO, "Input/output error")
        really(path)

    monkeypatch.setattr(writing, "_flush", flush)
    with pytest.raises(WriteError, match="all was written, and the disk may not keep it") as failed:
        write_together({tmp_path / "a": b"1"}, overwrite=False)
    assert failed.value.where == str(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"1"


def test_a_fault_while_a_file_is_put_in_its_place_names_that_file(tmp_path, monkeypatch):
    def refuse(temporary, path, *, overwrite):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(writing, "_publish", refuse)
    with pytest.raises(WriteError) as failed:
        write_together({tmp_path / "a": b"1", tmp_path / "b": b"2"}, overwrite=False)
    assert failed.value.where == str(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_stranger_s_file_that_looks_like_a_leftover_stays(tmp_path):
    stranger = tmp_path / ".out.json.tmp-²-ab.json"
    stranger.touch()
    writing.remove_leftovers(tmp_path / "out.json")
    assert stranger.exists()
