"""`badrepair strip --screen --resume`: no row is lost or repeated, however a run ends."""

from __future__ import annotations

import os
import shutil
import signal

import numpy as np
import pytest

from badrepair.journal import partial_path
from cli.screenings import done, ended_by, flagged, lines, pixels_in, rows_in, screened
from cli.terminal import assert_complaint, run
from cli.terminal import done as typed
from cli.unfinished import kept

COUNT, BLOCK = 1500, 25
SMALL = ("--mixes-a-call", BLOCK)


@pytest.fixture(scope="module")
def stream(bench, tmp_path_factory):
    """Return a file with many images: test digits, every tenth of them patched, a few broken."""
    clean, patched = (pixels_in(path).astype(np.float32) for path in (bench.test, bench.poisoned))
    rows = np.arange(COUNT)
    pixels = np.where((rows % 10 == 3)[:, None, None], patched[rows % 200], clean[rows % 200])
    pixels[[100, 1499], 5, 5] = np.nan
    path = tmp_path_factory.mktemp("stream") / "images.npy"
    np.save(path, pixels)
    return path


@pytest.fixture(scope="module")
def whole(detector_file, stream, tmp_path_factory):
    """Return the rows of a run that nothing stopped."""
    output = tmp_path_factory.mktemp("whole") / "rows.csv"
    done(detector_file, stream, output, *SMALL)
    return output


@pytest.fixture(scope="module")
def left(detector_file, stream, tmp_path_factory):
    """Return what a run leaves that was killed when it had judged a part of the images."""
    output = tmp_path_factory.mktemp("killed") / "rows.csv"
    outcome = ended_by(signal.SIGKILL, detector_file, stream, output, *SMALL)
    assert outcome.code == -signal.SIGKILL
    assert kept(output.parent) == ["rows.csv.part"]
    return partial_path(output)


@pytest.fixture
def output(left, tmp_path):
    """Return an output whose partial file is that of the killed run."""
    output = tmp_path / "rows.csv"
    shutil.copy(left, partial_path(output))
    return output


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def resumed(detector, stream, output, *options):
    return screened(detector, stream, output, *SMALL, "--resume", *options)


@pytest.mark.slow
def test_a_killed_run_ends_as_one_that_was_not(detector_file, stream, whole, output):
    before = lines(partial_path(output)) - 1
    assert 99 <= before < COUNT
    outcome = resumed(detector_file, stream, output)
    assert outcome.code == 0, outcome.err
    assert f"going on from {partial_path(output)}, which holds {before} rows" in outcome.err
    assert output.read_bytes() == whole.read_bytes()
    assert names(output.parent) == ["rows.csv", "rows.json"]


@pytest.mark.slow
@pytest.mark.parametrize("cut", [1, 37, 400])
def test_wherever_the_last_line_is_torn_no_row_is_lost(detector_file, stream, whole, output, cut):
    partial = partial_path(output)
    partial.write_bytes(partial.read_bytes()[:-cut])
    outcome = resumed(detector_file, stream, output)
    assert outcome.code == 0, outcome.err
    assert output.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_other_formats_can_be_asked_for_at_the_end(detector_file, stream, whole, output):
    other = output.with_suffix(".parquet")
    partial_path(output).rename(partial_path(other))
    assert resumed(detector_file, stream, other).code == 0
    from pyarrow import parquet

    expected = [row["verdict"] for row in rows_in(whole)]
    assert parquet.read_table(other)["verdict"].to_pylist() == expected


@pytest.mark.slow
def test_what_the_summary_counts_is_all_of_the_stream(detector_file, stream, whole, output):
    outcome = resumed(detector_file, stream, output, "--format", "json")
    found = outcome.json["screening"]
    assert found["images"] == COUNT
    assert found["flagged"] == len(flagged(rows_in(whole)))
    assert found["unreadable"] == 2


def test_a_run_that_was_killed_at_its_very_end_has_nothing_left_to_judge(
    detector_file, stream, whole, tmp_path
):
    output = tmp_path / "rows.csv"
    finished(detector_file, stream, output)
    outcome = resumed(detector_file, stream, output)
    assert outcome.code == 0, outcome.err
    assert output.read_bytes() == whole.read_bytes()


def finished(detector, stream, output):
    """Leave the partial file of a run that has judged all but not written its output."""
    from unittest import mock

    with mock.patch("badrepair.writing.write_together", side_effect=KeyboardInterrupt):
        outcome = screened(detector, stream, output, *SMALL)
    assert_complaint(outcome, 130, "Interrupted", "--resume")
    assert lines(partial_path(output)) == COUNT + 1


def test_without_resume_an_unfinished_run_is_kept(detector_file, stream, left, output):
    outcome = screened(detector_file, stream, output, *SMALL)
    assert_complaint(outcome, 73, "PartialExists", "--resume", "--overwrite")
    assert names(output.parent) == ["rows.csv.part"]
    assert partial_path(output).read_bytes() == left.read_bytes()


def test_an_unfinished_run_is_given_up_where_that_is_said(bench, detector_file, output):
    outcome = screened(detector_file, bench.test, output, "--overwrite", "--limit", 30)
    assert outcome.code == 0, outcome.err
    assert "of an unfinished run is given up" in outcome.err
    assert len(rows_in(output)) == 30
    assert names(output.parent) == ["rows.csv", "rows.json"]


def test_another_file_in_its_place_is_kept_all_the_same(bench, detector_file, tmp_path):
    output = tmp_path / "rows.csv"
    partial_path(output).write_bytes(b"mine")
    for option in ("--overwrite", "--resume"):
        outcome = screened(detector_file, bench.test, output, option)
        assert_complaint(outcome, 65, "PartialInvalid", "rows.csv.part")
    assert partial_path(output).read_bytes() == b"mine"


def test_with_nothing_to_resume_it_starts_anew_and_says_so(bench, detector_file, tmp_path):
    output = tmp_path / "rows.csv"
    outcome = screened(detector_file, bench.test, output, "--resume", "--limit", 30)
    assert outcome.code == 0, outcome.err
    assert f"no {partial_path(output)}: starting anew" in outcome.err


@pytest.mark.parametrize(
    "options",
    [("--mixes-a-call", 26), ("--limit", 900), ("--layout", "nhwc"), ("--quarantine", "bad")],
)
def test_a_run_with_another_option_is_not_the_one_that_was_left(
    detector_file, stream, left, output, options
):
    outcome = resumed(detector_file, stream, output, *options)
    assert_complaint(outcome, 65, "PartialOther", "another options", "--overwrite")
    assert partial_path(output).read_bytes() == left.read_bytes()


def test_a_run_on_other_images_is_not_the_one_that_was_left(
    detector_file, stream, left, output, tmp_path
):
    pixels = np.load(stream)
    pixels[1400, 0, 0] += 1
    np.save(tmp_path / "other.npy", pixels)
    outcome = resumed(detector_file, tmp_path / "other.npy", output)
    assert_complaint(outcome, 65, "PartialOther", "another source")
    assert partial_path(output).read_bytes() == left.read_bytes()


def test_a_run_with_other_packages_is_not_the_one_that_was_left(
    detector_file, stream, left, output, monkeypatch
):
    from badrepair import records

    versions = {**records.versions(), "tensorflow": "1.15"}
    monkeypatch.setattr(records, "versions", lambda: versions)
    outcome = resumed(detector_file, stream, output)
    assert_complaint(outcome, 65, "PartialOther", "another versions")
    assert partial_path(output).read_bytes() == left.read_bytes()


def test_a_run_of_another_detector_is_not_the_one_that_was_left(bench, stream, left, output):
    other = output.with_name("other.npz")
    fitting = ("--clean", bench.clean, "--test", bench.test, "--overlays", 5)
    typed("strip", "--model", bench.model, *fitting, "--input-range", "0-1", "-o", other)
    outcome = resumed(other, stream, output)
    assert_complaint(outcome, 65, "PartialOther", "another detector")
    assert partial_path(output).read_bytes() == left.read_bytes()


@pytest.mark.slow
def test_the_same_run_in_another_folder_goes_on(
    detector_file, stream, whole, output, tmp_path, monkeypatch
):
    shutil.copy(stream, tmp_path / "moved.npy")
    monkeypatch.chdir(tmp_path)
    outcome = run(
        *("strip", "--detector", os.path.relpath(detector_file), "--screen", "moved.npy"),
        *("-o", "rows.csv", *SMALL, "--resume"),
    )
    assert outcome.code == 0, outcome.err
    assert output.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_ctrl_c_keeps_the_rows_and_says_how_to_go_on(detector_file, stream, whole, tmp_path):
    output = tmp_path / "rows.csv"
    outcome = ended_by(signal.SIGINT, detector_file, stream, output, *SMALL)
    assert_complaint(outcome, 130, "Interrupted")
    assert f"--resume goes on from {partial_path(output)}" in outcome.err
    assert names(tmp_path) == ["rows.csv.part"]
    assert resumed(detector_file, stream, output).code == 0
    assert output.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_a_killed_run_has_quarantined_what_its_rows_flag(detector_file, stream, whole, tmp_path):
    output, folder = tmp_path / "rows.csv", tmp_path / "bad"
    options = (*SMALL, "--quarantine", folder)
    ended_by(signal.SIGKILL, detector_file, stream, output, *options)
    count = lines(partial_path(output)) - 1
    before = {int(path.stem) for path in folder.glob("[0-9]*.png")}
    expected = flagged(rows_in(whole))
    assert {row for row in expected if row < count} <= before
    outcome = screened(detector_file, stream, output, *options, "--resume")
    assert outcome.code == 0, outcome.err
    assert sorted(int(path.stem) for path in folder.glob("[0-9]*.png")) == expected
    assert output.read_bytes() == whole.read_bytes()


def test_a_fault_in_the_middle_keeps_the_rows_before_it(
    detector_file, stream, whole, tmp_path, monkeypatch
):
    from badrepair.journal import Journal

    append = Journal.append

    def failing(self, rows):
        if self.count >= 200:
            raise OSError(28, "No space left on device")
        append(self, rows)

    output = tmp_path / "rows.csv"
    monkeypatch.setattr(Journal, "append", failing)
    outcome = screened(detector_file, stream, output, *SMALL)
    assert_complaint(outcome, 74, "WriteFailed", "No space left")
    assert f"200 rows stay: --resume goes on from {partial_path(output)}" in outcome.err
    monkeypatch.setattr(Journal, "append", append)
    assert resumed(detector_file, stream, output).code == 0
    assert output.read_bytes() == whole.read_bytes()


def test_a_fault_before_the_first_row_leaves_nothing(bench, detector_file, tmp_path, monkeypatch):
    from badrepair.journal import Journal

    def failing(self, rows):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "append", failing)
    outcome = screened(detector_file, bench.test, tmp_path / "rows.csv")
    assert_complaint(outcome, 74, "WriteFailed")
    assert names(tmp_path) == []


def test_a_run_that_is_under_way_is_not_joined(detector_file, stream, left, output):
    import fcntl

    with partial_path(output).open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for option in ("--resume", "--overwrite"):
            outcome = screened(detector_file, stream, output, *SMALL, option)
            assert_complaint(outcome, 75, "OutputLocked", "another run")
    assert partial_path(output).read_bytes() == left.read_bytes()


@pytest.mark.slow
def test_a_drift_before_the_end_of_the_killed_run_is_warned_of_again(
    bench, detector_file, tmp_path
):
    output = tmp_path / "rows.csv"
    pixels = np.tile(pixels_in(bench.poisoned), (8, 1, 1))
    np.save(tmp_path / "images.npy", pixels)
    ended_by(signal.SIGKILL, detector_file, tmp_path / "images.npy", output, *SMALL)
    outcome = screened(detector_file, tmp_path / "images.npy", output, *SMALL, "--resume")
    assert outcome.err.count("warning: since row 2") == 1
