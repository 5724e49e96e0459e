"""`badrepair strip --screen` refuses what makes no sense before it judges anything."""

from __future__ import annotations

import numpy as np
import pytest

from cli.screenings import done, pictures_of, pixels_in, screened
from cli.terminal import assert_complaint, assert_refused, listing

RATE = ("--limit", 60)


@pytest.fixture
def output(tmp_path):
    return tmp_path / "rows.csv"


@pytest.mark.parametrize(
    ("options", "code", "kind", "words"),
    [
        (("-o", "more.csv"), 2, "OptionInvalid", "found 2"),
        (("--color", "bgr"), 2, "ColorMismatch", "bgr needs 3 channels"),
        (("--image-key", "faces"), 65, "KeyMissing", "faces"),
        (("--input-range", "0-255"), 2, "RangeMismatch", "0-1, found 0-255"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_the_run(
    bench, detector_file, output, options, code, kind, words
):
    outcome = screened(detector_file, bench.test, output, *options)
    assert outcome.code == code
    assert f"error[{kind}]" in outcome.err
    assert words in outcome.err
    assert listing(output.parent) == []


@pytest.mark.parametrize(
    "options",
    [
        *(("--frr", 0.2), ("--overlays", 3), ("--calibration", "pac"), ("--confidence", 0.9)),
        *(("--mix", "blend"), ("--image-weight", 0.5), ("--overlay-weight", 0.5), ("--exact",)),
        *(("--seed", 1), ("--label-key", "label")),
    ],
    ids=lambda options: options[0],
)
def test_what_makes_a_detector_is_refused_for_one_that_is_made(
    bench, detector_file, output, options
):
    outcome = screened(detector_file, bench.test, output, *options)
    assert_refused(outcome, 2, "OptionMisplaced", options[0], "with --screen")
    assert listing(output.parent) == []


@pytest.mark.parametrize("name", ["rows", "rows.txt", "rows.keras"])
def test_an_output_of_no_known_format_is_refused(bench, detector_file, tmp_path, name):
    outcome = screened(detector_file, bench.test, tmp_path / name)
    assert_refused(outcome, 2, "UnknownFormat", ".csv, .jsonl, .parquet")


def test_parquet_without_its_package_is_refused_before_the_run(
    bench, detector_file, tmp_path, monkeypatch
):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    outcome = screened(detector_file, bench.test, tmp_path / "rows.parquet")
    assert_refused(outcome, 2, "ExtraMissing", "pip install 'badrepair[parquet]'")


@pytest.mark.parametrize("existing", ["rows.csv", "rows.json"])
def test_an_output_that_exists_is_kept_unless_it_may_go(bench, detector_file, output, existing):
    output.with_name(existing).write_text("mine")
    outcome = screened(detector_file, bench.test, output, *RATE)
    assert_complaint(outcome, 73, "OutputExists", existing, "--overwrite")
    assert output.with_name(existing).read_text() == "mine"
    assert len(done(detector_file, bench.test, output, *RATE, "--overwrite")) == 60


def test_the_output_is_not_what_is_screened(bench, detector_file, tmp_path):
    source = tmp_path / "images.csv"
    np.savez(source.with_suffix(".npz"), pixels_in(bench.test))
    source.with_suffix(".npz").rename(source)
    outcome = screened(detector_file, source, source, "--overwrite")
    assert_complaint(outcome, 2, "OutputIsInput")


def test_rows_can_stand_in_the_folder_that_is_screened(bench, detector_file, tmp_path):
    pictures = pictures_of(pixels_in(bench.test)[:9], tmp_path / "pictures")
    rows = done(detector_file, pictures, pictures / "rows.csv")
    assert done(detector_file, pictures, pictures / "rows.csv", "--overwrite") == rows


def test_the_quarantine_is_not_in_the_folder_that_is_screened(bench, detector_file, tmp_path):
    pictures = pictures_of(pixels_in(bench.test)[:9], tmp_path / "pictures")
    options = ("--quarantine", pictures / "bad")
    outcome = screened(detector_file, pictures, tmp_path / "rows.csv", *options)
    assert_complaint(outcome, 2, "QuarantineInside")
    assert not (pictures / "bad").exists()


def test_what_is_not_there_is_named(detector_file, tmp_path):
    outcome = screened(detector_file, tmp_path / "nowhere.h5", tmp_path / "rows.csv")
    assert_complaint(outcome, 66, "InputMissing", "nowhere.h5")
    outcome = screened(tmp_path / "nowhere.npz", tmp_path, tmp_path / "rows.csv")
    assert_complaint(outcome, 66, "InputMissing", "nowhere.npz")


def test_a_folder_without_pictures_is_refused(detector_file, tmp_path):
    (tmp_path / "empty").mkdir()
    outcome = screened(detector_file, tmp_path / "empty", tmp_path / "rows.csv")
    assert_complaint(outcome, 65, "EmptyFolder")


def test_what_is_no_detector_is_refused(bench, tmp_path):
    outcome = screened(bench.clean, bench.test, tmp_path / "rows.csv")
    assert_refused(outcome, 65, "DetectorInvalid", str(bench.clean), "badrepair strip")
