"""`badrepair evaluate`: models side by side, in the shape that other programs read."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil

import numpy as np
import pytest

from cli.stored import answers, arrays_in, images_in
from cli.terminal import assert_complaint, assert_refused, done, listing, run

AS_JSON = ("--format", "json", "--input-range", "0-1")
MODEL_KEYS = {"name", "path", "sha256", "classes", "clean", "attacks"}
CLEAN_KEYS = {"accuracy", "false_rejection_rate", "n", "ci95"}
ATTACK_KEYS = {
    *("name", "attack_success_rate", "detection_rate", "recovered_accuracy", "n", "ci95"),
}


def one(*options):
    """Evaluate one model and return its entry."""
    models = done("evaluate", *options, *AS_JSON).json["models"]
    assert len(models) == 1
    return models[0]


def wilson(hits, n):
    """Return the 95 % interval by its formula."""
    z, share = 1.959963984540054, hits / n
    middle = share + z**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return [(middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)]


def test_the_json_has_the_promised_shape(bench):
    content = done("evaluate", "--model", bench.model, *bench.evaluated(), *AS_JSON).json
    assert content["schema"] == 1
    assert content.keys() == {"schema", "models", "trusted"}
    model = content["models"][0]
    assert model.keys() == MODEL_KEYS
    assert model["clean"].keys() >= CLEAN_KEYS
    assert model["attacks"][0].keys() >= ATTACK_KEYS
    assert (model["name"], model["path"]) == ("badnet", str(bench.model))
    assert model["sha256"] == hashlib.sha256(bench.model.read_bytes()).hexdigest()


def test_the_rates_are_those_of_the_answers(bench):
    true = arrays_in(bench.poisoned)["true_label"]
    answered = answers(bench.model, images_in(bench.poisoned))
    counts = true != 7
    attack = one("--model", bench.model, *bench.evaluated())["attacks"][0]
    assert attack["n"] == counts.sum() < len(true)
    assert attack["attack_success_rate"] == np.mean(answered[counts] == 7)
    assert attack["recovered_accuracy"] == np.mean(answered[counts] == true[counts])
    hits = int(np.sum(answered[counts] == 7))
    assert attack["ci95"] == pytest.approx(wilson(hits, counts.sum()), abs=1e-9)


def test_a_model_without_the_class_n_detects_nothing_and_that_is_null(bench):
    model = one("--model", bench.model, *bench.evaluated())
    assert model["classes"] == 10
    assert model["clean"]["false_rejection_rate"] is None
    assert model["attacks"][0]["detection_rate"] is None


def test_what_was_not_measured_is_null_or_missing_and_never_zero(bench):
    assert one("--model", bench.model, "--clean", bench.test)["attacks"] == []
    clean = one("--model", bench.model, "--poisoned", bench.poisoned)["clean"]
    assert (clean["accuracy"], clean["ci95"], clean["n"]) == (None, None, 0)


def test_without_true_labels_all_images_count_and_recovery_is_null(bench, write_h5):
    arrays = arrays_in(bench.poisoned)
    path = write_h5("unknown.h5", data=arrays["data"], label=arrays["label"])
    attack = one("--model", bench.model, "--poisoned", path)["attacks"][0]
    assert (attack["name"], attack["n"]) == ("unknown", 200)
    assert attack["recovered_accuracy"] is None


def test_models_with_and_without_the_class_n_stand_side_by_side(bench, pruned, stripped):
    named = (f"plain={bench.model}", f"repaired={pruned.model}", stripped.model, pruned.guard)
    models = [part for model in named for part in ("--model", model)]
    entries = done("evaluate", *models, *bench.evaluated(), *AS_JSON).json["models"]
    assert [entry["name"] for entry in entries] == [
        "plain",
        "repaired",
        "guarded",
        "repaired-guard",
    ]
    assert {entry["classes"] for entry in entries} == {10}
    rejections = [entry["clean"]["false_rejection_rate"] for entry in entries]
    assert rejections[:2] == [None, None]
    assert all(0 <= rejected < 0.2 for rejected in rejections[2:])
    assert entries[2]["attacks"][0]["detection_rate"] > 0


def test_a_baseline_gives_the_defence_effectiveness(bench, stripped):
    options = ("--model", stripped.model, "--baseline", f"before={bench.model}")
    before, after = done("evaluate", *options, *bench.evaluated(), *AS_JSON).json["models"]
    assert before["name"] == "before"
    assert before["attacks"][0]["der"] is None
    accuracies = (before["clean"]["accuracy"], after["clean"]["accuracy"])
    success = [model["attacks"][0]["attack_success_rate"] for model in (before, after)]
    gain, loss = success[0] - success[1], max(0, accuracies[0] - accuracies[1])
    assert after["attacks"][0]["der"] == pytest.approx((gain - loss + 1) / 2)


def test_a_model_of_ours_brings_its_data_along(pruned, bench):
    outcome = done("evaluate", "--model", pruned.model, *AS_JSON)
    assert f"data from {pruned.model.with_suffix('.json')}" in outcome.err
    entry = outcome.json["models"][0]
    recorded = pruned.report("fine-tuned")
    assert entry["clean"] == recorded["clean"]
    assert entry["attacks"][0] | {"der": None} == recorded["attacks"][0] | {"der": None}


def test_recorded_data_that_changed_since_is_refused(pruned, bench, tmp_path):
    model, data = tmp_path / "repaired.keras", tmp_path / "test.h5"
    shutil.copy(pruned.model, model)
    shutil.copy(bench.poisoned, data)
    text = pruned.model.with_suffix(".json").read_text()
    model.with_suffix(".json").write_text(text.replace(str(bench.test), str(data)))
    outcome = run("evaluate", "--model", model)
    assert_refused(outcome, 65, "InputChanged", str(data), "--clean")


def test_recorded_data_that_is_gone_is_named(pruned, bench, tmp_path):
    model, gone = tmp_path / "repaired.keras", tmp_path / "gone.h5"
    shutil.copy(pruned.model, model)
    text = pruned.model.with_suffix(".json").read_text()
    model.with_suffix(".json").write_text(text.replace(str(bench.test), str(gone)))
    assert_refused(run("evaluate", "--model", model), 66, "InputMissing", str(gone))


@pytest.mark.parametrize(
    "options",
    ['{"clean": 5}', '{"clean": ["x"]}', "[1]", '{"test": "x", "poisoned": 7}', '"text"'],
)
def test_a_forged_record_beside_the_model_is_refused_in_one_line(bench, tmp_path, options):
    model = tmp_path / "model.keras"
    shutil.copy(bench.model, model)
    model.with_suffix(".json").write_text(f'{{"schema": 1, "options": {options}, "inputs": 3}}')
    outcome = run("evaluate", "--model", model)
    assert outcome.code in {2, 65, 66}
    assert_refused(outcome, outcome.code, outcome.err.split("[")[1].split("]")[0])


def test_a_model_without_data_asks_for_some(bench):
    assert_refused(run("evaluate", "--model", bench.model), 2, "DataMissing", "--clean FILE")


@pytest.mark.parametrize(
    ("gate", "code", "words"),
    [
        (("--max-asr", "1", "--min-accuracy", "0.9"), 0, ()),
        (("--max-asr", "0.5"), 1, ("badnet: attack success of patch ", "at most 50.00 %")),
        (("--min-accuracy", "1"), 1, ("badnet: clean accuracy ", "at least 100.00 %")),
    ],
)
def test_a_missed_gate_is_exit_code_one(bench, accuracy, gate, code, words):
    outcome = run("evaluate", "--model", bench.model, *bench.evaluated(), *AS_JSON, "-q", *gate)
    assert outcome.code == code
    # The results are printed all the same.
    assert outcome.json["models"][0]["clean"]["accuracy"] == accuracy
    assert outcome.err.startswith("gate missed: ") is bool(words)
    assert all(word in outcome.err for word in words)


def test_a_gate_on_what_was_not_measured_is_missed(bench):
    options = ("--model", bench.model, "--clean", bench.test, *AS_JSON, "-q")
    outcome = run("evaluate", *options, "--max-asr", "1")
    assert outcome.code == 1
    assert "attack success not measured" in outcome.err


def test_the_baseline_is_not_judged(bench, pruned):
    options = ("--model", pruned.model, "--baseline", bench.model, *bench.evaluated(), *AS_JSON)
    outcome = run("evaluate", *options, "--min-accuracy", "1")
    assert outcome.code == 1
    assert "repaired: clean accuracy" in outcome.err
    assert "badnet: clean accuracy" not in outcome.err.splitlines()[-1]


def test_csv_has_a_header_and_one_row_a_model_and_trigger(bench, stripped, accuracy):
    options = ("--model", bench.model, "--model", stripped.model, *bench.evaluated())
    outcome = done("evaluate", *options, "--format", "csv")
    header, *rows = csv.reader(outcome.out.splitlines())
    assert header[:3] == ["model", "trigger", "clean accuracy"]
    assert [row[:2] for row in rows] == [["badnet", "patch"], ["guarded", "patch"]]
    assert {len(row) for row in rows} == {len(header)}
    assert rows[0][2].startswith(f"{100 * accuracy:.2f} % [")


def test_markdown_is_a_table_with_equally_many_cells_in_every_line(bench, accuracy):
    outcome = done("evaluate", "--model", bench.model, *bench.evaluated(), "--format", "md")
    table = [line for line in outcome.out.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert set(table[1]) <= set("|- ")
    assert f"{100 * accuracy:.2f} %" in table[2]


def test_the_output_file_holds_the_json(bench, tmp_path):
    path = tmp_path / "report.json"
    options = ("--model", bench.model, *bench.evaluated(), *AS_JSON, "-o", path)
    assert done("evaluate", *options).json == json.loads(path.read_text())
    kept = listing(tmp_path)
    assert_complaint(run("evaluate", *options), 73, "OutputExists", "--overwrite")
    assert listing(tmp_path) == kept
    done("evaluate", *options, "--overwrite")
    assert listing(tmp_path) != kept


@pytest.mark.parametrize("source", ["model", "clean", "poisoned"])
def test_no_input_is_overwritten_by_the_report(bench, tmp_path, source):
    paths = {name: tmp_path / f"{name}.h5" for name in ("clean", "poisoned")}
    paths["model"] = tmp_path / "model.keras"
    for name, path in paths.items():
        shutil.copy(getattr(bench, "test" if name == "clean" else name), path)
    before = listing(tmp_path)
    options = ("--model", paths["model"], "--clean", paths["clean"], *AS_JSON)
    options += ("--poisoned", paths["poisoned"], "-o", paths[source], "--overwrite")
    assert_complaint(run("evaluate", *options), 2, "OutputIsInput", str(paths[source]))
    assert listing(tmp_path) == before


def test_two_models_of_one_name_need_names(bench, tmp_path):
    copy = tmp_path / "badnet.keras"
    shutil.copy(bench.model, copy)
    outcome = run("evaluate", "--model", bench.model, "--model", copy, *bench.evaluated())
    assert_refused(outcome, 2, "NameTwice", "badnet", "--model NAME=FILE")


def test_a_trigger_may_not_be_called_clean(bench):
    options = ("--clean", bench.test, "--poisoned", f"clean={bench.poisoned}")
    outcome = run("evaluate", "--model", bench.model, *options)
    assert_refused(outcome, 2, "NameTaken", "--poisoned")


def test_quiet_leaves_stderr_empty(bench):
    assert done("evaluate", "--model", bench.model, *bench.evaluated(), "-q").err == ""


def test_limit_measures_on_fewer_images(bench):
    model = one("--model", bench.model, *bench.evaluated(), "--limit", 50)
    assert model["clean"]["n"] == 50
    assert 40 <= model["attacks"][0]["n"] <= 50
