"""Outputs appear whole or not at all, and never where something stands already."""

from __future__ import annotations

import json
import os
import resource
import shutil

import pytest
from disks import mounted

from cli.terminal import assert_refused, done, listing, run, spawn

COMMANDS = {
    "prune": ("--epochs", 0, "--input-range", "0-1"),
    "strip": ("--overlays", 5, "--input-range", "0-1"),
}
each_command = pytest.mark.parametrize("command", list(COMMANDS))


@pytest.fixture
def defend(bench):
    """Return a function that runs a quick defence with the given output."""

    def defend(command, output, *options):
        return run(command, *bench.defended(), *COMMANDS[command], "-o", output, *options)

    return defend


@each_command
def test_an_existing_model_is_kept(defend, tmp_path, command):
    output = tmp_path / "mine.keras"
    output.write_text("mine")
    before = listing(tmp_path)
    assert_refused(defend(command, output), 73, "OutputExists", str(output), "--overwrite")
    assert listing(tmp_path) == before


@each_command
def test_an_existing_record_is_kept_too(defend, tmp_path, command):
    record = tmp_path / "mine.json"
    record.write_text("mine")
    before = listing(tmp_path)
    outcome = defend(command, tmp_path / "mine.keras")
    assert_refused(outcome, 73, "OutputExists", str(record))
    assert listing(tmp_path) == before


def test_an_existing_guard_is_kept_too(defend, tmp_path):
    (tmp_path / "out-guard.keras").write_text("mine")
    before = listing(tmp_path)
    outcome = defend("prune", tmp_path / "out.keras", "--guard")
    assert_refused(outcome, 73, "OutputExists", "out-guard.keras")
    assert listing(tmp_path) == before


def test_overwrite_replaces_model_and_record(defend, tmp_path):
    output = tmp_path / "mine.keras"
    output.write_text("mine")
    (tmp_path / "mine.json").write_text("mine")
    assert defend("prune", output, "--overwrite").code == 0
    assert output.read_bytes().startswith(b"PK")
    assert json.loads((tmp_path / "mine.json").read_text())["command"] == "prune"


@pytest.mark.parametrize("link", [None, os.link, os.symlink])
def test_the_output_may_not_be_the_input_not_even_through_a_link(bench, tmp_path, link):
    model, output = tmp_path / "model.keras", tmp_path / "model.keras"
    shutil.copy(bench.model, model)
    if link is not None:
        output = tmp_path / "link.keras"
        link(model, output)
    before = listing(tmp_path)
    options = (*COMMANDS["prune"], "-o", output, "--overwrite")
    outcome = run("prune", "--model", model, "--clean", bench.clean, *options)
    assert_refused(outcome, 2, "OutputIsInput", str(model))
    assert listing(tmp_path) == before


def test_the_record_may_not_be_an_input_either(bench, tmp_path):
    clean = tmp_path / "out.json"
    shutil.copy(bench.clean, clean)
    options = (*COMMANDS["prune"], "-o", tmp_path / "out.keras", "--overwrite")
    outcome = run("prune", "--model", bench.model, "--clean", clean, *options)
    assert_refused(outcome, 2, "OutputIsInput", str(clean))


@each_command
def test_a_folder_that_is_not_there_is_named(defend, tmp_path, command):
    outcome = defend(command, tmp_path / "new" / "out.keras")
    assert_refused(outcome, 73, "OutputFolderMissing", str(tmp_path / "new"), "create it")
    assert listing(tmp_path) == []


@pytest.mark.parametrize("name", [".", "..", "/", "folder/"])
def test_a_folder_s_name_as_output_is_refused(defend, name):
    assert_refused(defend("prune", name), 2, "OutputFormat")


def test_a_folder_in_place_of_the_output_is_refused(defend, tmp_path):
    output = tmp_path / "folder.keras"
    output.mkdir()
    outcome = defend("prune", output, "--overwrite")
    assert_refused(outcome, 73, "NotAFile", "a folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_takes_no_files_is_found_out_before_the_run(defend, tmp_path):
    tmp_path.chmod(0o500)
    outcome = defend("prune", tmp_path / "out.keras")
    tmp_path.chmod(0o700)
    assert_refused(outcome, 73, "OutputNotWritable")


@pytest.mark.parametrize("name", ["out", "out.txt", "out.json", "out.png"])
def test_a_name_that_tells_no_format_is_refused(defend, tmp_path, name):
    outcome = defend("prune", tmp_path / name)
    assert_refused(outcome, 2, "OutputFormat", ".keras", ".h5")
    assert listing(tmp_path) == []


def test_the_format_of_the_name_is_that_of_the_file(bench, tmp_path):
    for name, start in (("out.keras", b"PK"), ("out2.h5", b"\x89HDF")):
        options = (*COMMANDS["prune"], "-o", tmp_path / name, "-q")
        done("prune", *bench.defended("--test", bench.test), *options)
        assert (tmp_path / name).read_bytes().startswith(start)


@pytest.fixture
def defend_apart(bench):
    """Return a function that defends in another process: HDF5 may break the one that fails."""

    def defend_apart(command, output, *options, **limits):
        quick = (*bench.defended("--test", bench.test), *COMMANDS[command], *options)
        return spawn(command, *quick, "-o", output, **limits)

    return defend_apart


def test_a_file_size_limit_is_one_line_and_leaves_what_was_there(defend_apart, tmp_path):
    """A stand-in for a full disk that needs no rights: 200 overlays make a file of 400 KB."""
    output = tmp_path / "out.keras"
    output.write_text("mine")
    before = listing(tmp_path)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    many = ("--overlays", 200, "--frr", "0.05", "--overwrite")
    outcome = defend_apart("strip", output, *many, preexec_fn=limit)
    assert_refused(outcome, 74, "WriteFailed", str(output), "nothing was written")
    assert listing(tmp_path) == before


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder on a disk of one megabyte."""
    with mounted(tmp_path / "disk") as folder:
        yield folder


@pytest.mark.parametrize("name", ["out.keras", "out.h5"])
def test_a_full_disk_is_one_line_and_leaves_nothing(defend_apart, small_disk, name):
    filler = small_disk / "filler"
    filler.write_bytes(bytes(900_000))
    outcome = defend_apart("prune", small_disk / name)
    assert_refused(outcome, 74, "WriteFailed", "No space left")
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_a_disk_without_room_for_the_record_leaves_no_model_without_one(defend_apart, small_disk):
    # Room for the model's 200 KB, hardly for the record's 50 KB.
    (small_disk / "filler").write_bytes(bytes(820_000))
    outcome = defend_apart("prune", small_disk / "out.keras")
    assert outcome.code in {0, 74}, outcome.err
    names = {path.name for path in small_disk.iterdir()} - {"filler"}
    assert names in (set(), {"out.keras", "out.json"})


@pytest.mark.parametrize("folder", ["with space", "ünï·cødé 漢字", "name=value", "[bold]x[red]"])
def test_odd_names_of_folders_work(bench, tmp_path, folder):
    place = tmp_path / folder
    place.mkdir()
    paths = {name: place / f"{name}.h5" for name in ("clean", "test", "poisoned")}
    for name, path in paths.items():
        shutil.copy(getattr(bench, name), path)
    shutil.copy(bench.model, place / "model.keras")
    measured = ("--test", paths["test"], "--poisoned", paths["poisoned"])
    options = ("--clean", paths["clean"], *measured, "-o", place / "out.keras")
    outcome = done("prune", "--model", place / "model.keras", *options, *COMMANDS["prune"])
    assert str(place / "out.keras") in outcome.err
    repeated = done("evaluate", "--model", place / "out.keras", "--format", "json")
    assert repeated.json["models"][0]["name"] == "out"
