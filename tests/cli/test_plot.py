"""`badrepair plot`: figures from records, into files that are never replaced unasked."""

from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image

from cli.terminal import assert_complaint, assert_refused, done, listing, run

OF_PRUNE = ("activations", "curve", "samples")
OF_STRIP = (
    *("entropies", "error-rates", "extremes", "overlays-used", "roc"),
    *("samples", "superimposition"),
)


def record_of(made):
    return made.model.with_suffix(".json")


@pytest.mark.parametrize(("made", "kinds"), [("pruned", OF_PRUNE), ("stripped", OF_STRIP)])
def test_a_record_gives_all_its_figures_as_png_and_svg(request, tmp_path, made, kinds):
    record = record_of(request.getfixturevalue(made))
    outcome = done("plot", record, "-o", tmp_path)
    names = {f"{record.stem}-{kind}.{suffix}" for kind in kinds for suffix in ("png", "svg")}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert outcome.out == ""
    assert outcome.err.splitlines() == sorted(outcome.err.splitlines())
    assert outcome.err.count("wrote ") == len(names)
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as image:
            assert image.width >= 600
            assert len(image.convert("RGB").getcolors(2**24)) > 2
    for path in tmp_path.glob("*.svg"):
        assert "<svg" in path.read_text()


def test_several_records_are_drawn_at_once_into_a_new_folder(pruned, stripped, tmp_path):
    folder = tmp_path / "new" / "figures"
    done("plot", record_of(pruned), record_of(stripped), "--kind", "samples", "-o", folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        *("guarded-samples.png", "guarded-samples.svg"),
        *("repaired-samples.png", "repaired-samples.svg"),
    ]


def test_without_an_output_the_figures_stand_beside_the_record(pruned, tmp_path):
    record = tmp_path / "mine.json"
    shutil.copy(record_of(pruned), record)
    done("plot", record, "--kind", "curve")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["mine-curve.png", "mine-curve.svg", "mine.json"]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_one_kind_goes_to_one_file(pruned, tmp_path, suffix):
    path = tmp_path / f"figure.{suffix}"
    outcome = done("plot", record_of(pruned), "--kind", "curve", "-o", path)
    assert outcome.err == f"wrote {path}\n"
    start = b"\x89PNG" if suffix == "png" else b"<?xml"
    assert path.read_bytes().startswith(start)


def test_many_kinds_do_not_go_to_one_file(pruned, tmp_path):
    outcome = run("plot", record_of(pruned), "-o", tmp_path / "figure.png")
    assert_refused(outcome, 2, "OneFileManyFigures", "found 3", "--kind")
    assert listing(tmp_path) == []


def test_the_same_figure_is_not_drawn_twice_for_a_kind_that_is_named_twice(pruned, tmp_path):
    kinds = ("--kind", "curve", "--kind", "curve")
    outcome = run("plot", record_of(pruned), *kinds, "-o", tmp_path)
    if outcome.code:
        assert_refused(outcome, 2, "OneFileManyFigures")
    assert len(list(tmp_path.iterdir())) in {0, 2}


def test_an_existing_figure_is_kept_and_nothing_else_is_written(pruned, tmp_path):
    existing = tmp_path / "repaired-samples.svg"
    existing.write_text("mine")
    before = listing(tmp_path)
    outcome = run("plot", record_of(pruned), "-o", tmp_path)
    assert_refused(outcome, 73, "OutputExists", str(existing), "--overwrite")
    assert listing(tmp_path) == before
    done("plot", record_of(pruned), "-o", tmp_path, "--overwrite")
    assert existing.read_text() != "mine"


def test_drawing_twice_gives_the_same_bytes(stripped, tmp_path):
    folders = (tmp_path / "first", tmp_path / "second")
    for folder in folders:
        done("plot", record_of(stripped), "-o", folder, "--kind", "entropies")
    first, second = ([path.read_bytes() for path in sorted(folder.iterdir())] for folder in folders)
    assert first == second


def test_quiet_says_nothing(pruned, tmp_path):
    outcome = done("plot", record_of(pruned), "--kind", "curve", "-o", tmp_path, "--quiet")
    assert (outcome.out, outcome.err) == ("", "")


def test_a_kind_that_the_record_has_not_is_answered_with_those_it_has(pruned, tmp_path):
    outcome = run("plot", record_of(pruned), "--kind", "entropies", "-o", tmp_path)
    assert_refused(outcome, 65, "FigureNotInRecord", "entropies", "activations, curve, samples")
    assert listing(tmp_path) == []


def test_a_record_without_figures_is_refused(bench, tmp_path):
    report = tmp_path / "report.json"
    done("evaluate", "--model", bench.model, *bench.evaluated(), "-o", report)
    outcome = run("plot", report, "-o", tmp_path / "figures")
    assert_refused(outcome, 65, "FigureNotInRecord", str(report), "prune or strip")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize(
    "text", ["", "hello", "[]", "{}", '{"schema": 2}', '{"schema": NaN}', "[" * 100_000]
)
def test_what_is_no_record_is_refused(tmp_path, text):
    path = tmp_path / "record.json"
    path.write_text(text)
    assert_refused(run("plot", path), 65, "RecordInvalid", str(path))


def test_a_model_instead_of_a_record_is_refused(bench):
    assert_refused(run("plot", bench.model), 65, "RecordInvalid", ".json file")


def test_a_missing_record_is_named(tmp_path):
    assert_refused(run("plot", tmp_path / "none.json"), 66, "InputMissing", "none.json")


@pytest.mark.parametrize(
    "change",
    [
        {"curve": [{"pruned": "many", "accuracy": 1}]},
        {"curve": 7},
        {"figures": {"samples": [{"png": "!!", "set": 1}]}},
        {"figures": {"activations": {"layer": "x", "clean": [[1]], "order": [9]}}},
    ],
)
def test_a_damaged_record_is_refused_in_one_line(pruned, tmp_path, change):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(pruned.record | change))
    kinds = ("curve",) if "figures" not in change else tuple(change["figures"])
    options = [part for kind in kinds for part in ("--kind", kind)]
    outcome = run("plot", path, *options, "-o", tmp_path / "out")
    assert_complaint(outcome, 65, outcome.err.partition("[")[2].partition("]")[0])
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["record.json"]


def test_the_output_may_not_be_the_record(pruned, tmp_path):
    record = tmp_path / "record.png"
    shutil.copy(record_of(pruned), record)
    outcome = run("plot", record, "--kind", "curve", "-o", record, "--overwrite")
    assert_refused(outcome, 2, "OutputIsInput", str(record))
