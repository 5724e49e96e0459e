"""`badrepair strip --screen`: a row for every image, whatever is wrong with some of them."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest

from badrepair.files import sha256
from cli.screenings import done, flagged, pictures_of, pixels_in, rows_in, screened
from cli.stored import answers, images_in
from cli.terminal import run

RATE = ("--limit", 60)


@pytest.fixture(scope="module")
def patched(bench, detector_file, tmp_path_factory):
    """Return the rows of the patched test digits."""
    return done(detector_file, bench.poisoned, tmp_path_factory.mktemp("rows") / "rows.csv")


@pytest.fixture
def output(tmp_path):
    return tmp_path / "rows.csv"


@pytest.fixture
def pictures(bench, tmp_path):
    """Return a folder with the first 40 patched digits in two folders, the file names in order."""
    names = [f"{'ab'[row // 20]}/{row:02}.png" for row in range(40)]
    return pictures_of(pixels_in(bench.poisoned)[:40], tmp_path / "pictures", names)


def test_the_rows_are_what_the_detector_says_in_python(bench, detector_file, patched):
    from badrepair import load_model
    from badrepair.detectors.file import ModelIdentity, read_detector

    model, images = load_model(bench.model), images_in(bench.poisoned)
    fitted = read_detector(detector_file).fitted(model, ModelIdentity.of_files(bench.model))
    seen = fitted.examine(images)
    assert flagged(patched) == np.flatnonzero(fitted.flag(images)).tolist()
    assert 20 < len(flagged(patched)) < 180
    assert [int(row["index"]) for row in patched] == list(range(200))
    assert [int(row["overlays_used"]) for row in patched] == seen.overlays_used.tolist()
    assert [float(row["p_value"]) for row in patched] == seen.p_values.tolist()
    entropies = [float(row["entropy"]) for row in patched]
    np.testing.assert_allclose(entropies, seen.entropies, atol=1e-5)


def test_the_class_is_the_unguarded_networks(bench, patched):
    expected = answers(bench.model, images_in(bench.poisoned))
    assert [int(row["class"]) for row in patched] == expected.tolist()


def test_all_that_was_written_is_the_rows_and_their_record(bench, detector_file, output):
    done(detector_file, bench.test, output, *RATE)
    assert sorted(path.name for path in output.parent.iterdir()) == ["rows.csv", "rows.json"]


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_the_other_formats_hold_the_same_rows(bench, detector_file, patched, tmp_path, ending):
    output = tmp_path / f"rows{ending}"
    outcome = screened(detector_file, bench.poisoned, output)
    assert outcome.code == 0, outcome.err
    if ending == ".parquet":
        from pyarrow import parquet

        found = parquet.read_table(output).to_pylist()
    else:
        found = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert [{key: str(value) for key, value in row.items()} for row in found] == patched


def test_pictures_have_the_rows_of_the_same_images_in_an_array(
    detector_file, pictures, patched, output
):
    rows = done(detector_file, pictures, output)
    assert [row["path"] for row in rows][19:21] == ["a/19.png", "b/20.png"]
    assert flagged(rows) == [row for row in flagged(patched) if row < 40]
    for own, other in zip(rows, patched, strict=False):
        assert (own["class"], own["overlays_used"]) == (other["class"], other["overlays_used"])


def test_one_picture_can_be_screened(detector_file, pictures, output):
    rows = done(detector_file, pictures / "b" / "20.png", output)
    assert [row["path"] for row in rows] == ["20.png"]


def test_images_need_no_labels(bench, detector_file, patched, tmp_path):
    np.save(tmp_path / "images.npy", pixels_in(bench.poisoned))
    rows = done(detector_file, tmp_path / "images.npy", tmp_path / "rows.csv")
    assert rows == patched


def test_the_first_images_are_a_trial(bench, detector_file, patched, output):
    rows = done(detector_file, bench.poisoned, output, "--limit", 7)
    assert [row["class"] for row in rows] == [row["class"] for row in patched[:7]]


def test_broken_pictures_are_rows_of_their_own(detector_file, pictures, output):
    whole = done(detector_file, pictures, output.with_stem("whole"))
    (pictures / "a" / "03.png").write_bytes(b"no picture")
    (pictures / "b" / "25.png").write_bytes((pictures / "b" / "25.png").read_bytes()[:50])
    pictures_of(np.zeros((1, 9, 9), np.uint8), pictures, ["b/30.png"])
    outcome = screened(detector_file, pictures, output)
    assert outcome.code == 0, outcome.err
    rows = rows_in(output)
    broken = [row for row in rows if row["verdict"] == "unreadable"]
    assert [row["index"] for row in broken] == ["3", "25", "30"]
    assert broken[0] == {
        **dict.fromkeys(("entropy", "overlays_used", "p_value", "class"), ""),
        "index": "3",
        "path": "a/03.png",
        "verdict": "unreadable",
    }
    others = [row for row in rows if row["verdict"] != "unreadable"]
    expected = [row for row in whole if row["index"] not in {"3", "25", "30"}]
    assert [row["verdict"] for row in others] == [row["verdict"] for row in expected]
    assert "1 image cannot be read (SizeMismatch), such as b/30.png" in outcome.out
    assert "expected 16 x 16 pixels" in outcome.out
    assert "hint: --resize" in outcome.out


def test_pictures_of_another_size_are_resized_where_that_is_asked_for(
    bench, detector_file, tmp_path, output
):
    large = pixels_in(bench.test)[:12].repeat(2, axis=1).repeat(2, axis=2)
    rows = done(detector_file, pictures_of(large, tmp_path / "large"), output, "--resize")
    assert {row["verdict"] for row in rows} <= {"clean", "poisoned"}


def test_rows_of_an_array_that_are_not_finite_are_told(bench, detector_file, patched, tmp_path):
    pixels = pixels_in(bench.poisoned).astype(np.float32)
    pixels[5, 3, 3], pixels[120, 0, 0] = np.nan, np.inf
    np.savez(tmp_path / "images.npz", pixels)
    outcome = screened(detector_file, tmp_path / "images.npz", tmp_path / "rows.csv")
    rows = rows_in(tmp_path / "rows.csv")
    assert [row["index"] for row in rows if row["verdict"] == "unreadable"] == ["5", "120"]
    assert flagged(rows) == [row for row in flagged(patched) if row not in {5, 120}]
    assert "2 images cannot be read (NotFinite), such as row 5" in outcome.out


@pytest.mark.parametrize("name", [b"=a\n\x1b[31m\r.png", b"caf\xe9 \xff.png", "\N{SNOWMAN} ü.png"])
def test_names_that_break_lines_and_encodings_break_no_row(detector_file, pictures, output, name):
    from badrepair.journal import printable

    name = os.fsdecode(name)
    shutil.copy(pictures / "a" / "00.png", pictures / name)
    outcome = screened(detector_file, pictures, output)
    assert outcome.code == 0, outcome.err
    assert len(output.read_bytes().decode().splitlines()) == 42
    paths = [row["path"].removeprefix("'") for row in rows_in(output)]
    assert printable(name) in paths


def test_a_link_out_of_the_folder_is_told_and_not_followed(detector_file, pictures, output, bench):
    (pictures / "a" / "03.png").unlink()
    (pictures / "a" / "03.png").symlink_to(bench.poisoned)
    rows = done(detector_file, pictures, output)
    assert rows[3]["verdict"] == "unreadable"


def test_flagged_pictures_are_quarantined_under_their_names(detector_file, pictures, tmp_path):
    rows = done(detector_file, pictures, tmp_path / "rows.csv", "--quarantine", tmp_path / "bad")
    copies = sorted(path for path in (tmp_path / "bad").rglob("*") if path.is_file())
    names = [str(path.relative_to(tmp_path / "bad")) for path in copies]
    assert names == [row["path"] for row in rows if row["verdict"] == "poisoned"]
    assert names
    assert all(
        path.read_bytes() == (pictures / name).read_bytes()
        for path, name in zip(copies, names, strict=True)
    )


def test_flagged_rows_of_an_array_are_quarantined_as_pictures(bench, detector_file, tmp_path):
    from PIL import Image

    options = ("--quarantine", tmp_path / "bad", "--limit", 40)
    rows = done(detector_file, bench.poisoned, tmp_path / "rows.csv", *options)
    copies = sorted((tmp_path / "bad").iterdir())
    assert [int(path.stem) for path in copies] == flagged(rows)
    with Image.open(copies[0]) as picture:
        assert np.array_equal(picture, pixels_in(bench.poisoned)[int(copies[0].stem)])


def test_a_finding_fails_where_that_is_asked_for(bench, detector_file, patched, tmp_path):
    options = (tmp_path / "rows.csv", "--fail-on-finding", "--overwrite")
    outcome = screened(detector_file, bench.poisoned, *options)
    assert outcome.code == 1
    assert f"gate missed: {len(flagged(patched))} images flagged" in outcome.err
    # The rows are there all the same.
    assert rows_in(tmp_path / "rows.csv") == patched
    good = next(row for row in range(200) if row not in flagged(patched))
    np.save(tmp_path / "good.npy", pixels_in(bench.poisoned)[[good]])
    assert screened(detector_file, tmp_path / "good.npy", *options).code == 0
    np.save(
        tmp_path / "nan.npy",
        np.stack([pixels_in(bench.poisoned)[good] / 255, np.full((16, 16), np.nan)]),
    )
    outcome = screened(detector_file, tmp_path / "nan.npy", *options)
    assert outcome.code == 1
    assert "gate missed: 1 image unreadable" in outcome.err


def test_a_stream_of_poisoned_images_is_warned_of_once(bench, detector_file, tmp_path):
    pixels = np.concatenate([pixels_in(bench.test), pixels_in(bench.poisoned)])
    np.save(tmp_path / "stream.npy", pixels)
    outcome = screened(detector_file, tmp_path / "stream.npy", tmp_path / "rows.csv")
    assert outcome.err.count("warning: since row 2") == 1
    assert "of the stream, against at most" in outcome.err
    assert outcome.out.count("warning: since row 2") == 1


def test_clean_images_are_not_warned_of(bench, detector_file, output):
    outcome = screened(detector_file, bench.test, output)
    assert "warning" not in outcome.err + outcome.out


def test_the_summary_is_a_table_and_says_what_to_expect(bench, detector_file, patched, output):
    outcome = screened(detector_file, bench.poisoned, output)
    assert "Screening" in outcome.lines
    row = next(line.split() for line in outcome.lines if line.startswith("200 "))
    assert row[:4] == ["200", str(len(flagged(patched))), f"{len(flagged(patched)) / 2:.2f}", "%"]
    assert "the detector flags at most 2.57 % (95 % confidence)" in outcome.out
    assert f"wrote {output}" in outcome.err


def test_the_summary_in_json_is_the_record(bench, detector_file, patched, output):
    outcome = screened(detector_file, bench.poisoned, output, "--format", "json")
    record = json.loads(output.with_suffix(".json").read_text())
    assert outcome.json == record
    found = record["screening"]
    assert (found["images"], found["flagged"], found["unreadable"]) == (
        *(200, len(flagged(patched)), 0),
    )
    assert found["share_flagged"]["value"] == len(flagged(patched)) / 200
    assert found["share_flagged"]["low"] < found["share_flagged"]["value"]
    used = [int(row["overlays_used"]) for row in patched]
    assert found["overlays_used"] == pytest.approx(np.mean(used))
    assert found["images_a_second"] > 1
    # None of 115 calibration images lies below the threshold: (1 - share)^115 = 0.05.
    assert found["largest_clean_share"] == pytest.approx(1 - 0.05 ** (1 / 115))
    assert found["drift"]["since"] < 20


def test_the_record_names_what_was_read_and_written(bench, detector_file, output):
    done(detector_file, bench.test, output, *RATE)
    record = json.loads(output.with_suffix(".json").read_text())
    digests = {entry["path"]: entry["sha256"] for entry in record["inputs"]}
    assert digests == {str(path): sha256(path) for path in (detector_file, bench.model, bench.test)}
    assert record["outputs"] == [
        {"path": str(output), "sha256": sha256(output), "bytes": output.stat().st_size}
    ]
    assert record["options"]["limit"] == 60
    assert record["input_range"]["value"] == "0-1"


def test_the_same_images_have_the_same_rows(bench, detector_file, patched, output):
    assert done(detector_file, bench.poisoned, output) == patched


def test_quiet_prints_the_summary_only(bench, detector_file, output):
    outcome = run(
        *("strip", "--detector", detector_file, "--screen", bench.test, *RATE),
        *("-o", output, "--quiet"),
    )
    assert (outcome.code, outcome.err) == (0, "")
    assert "Screening" in outcome.lines
