"""`badrepair prune`: a repaired file, its record, and a table of what was measured."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from badrepair import __version__
from cli.stored import answers, arrays_in, images_in
from cli.terminal import assert_complaint, assert_refused, done, listing, run

STAGES = ["before", "pruned", "fine-tuned", "guarded"]
QUICK = ("--epochs", 0, "--input-range", "0-1")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights(path):
    from badrepair import load_model

    return load_model(path).get_weights()


def kernel(path, layer):
    from badrepair import load_model

    return load_model(path).get_layer(layer).get_weights()


def test_the_table_shows_every_stage_with_its_attack_success(pruned):
    lines = pruned.outcome.lines
    assert "Evaluation" in lines
    for stage in STAGES:
        assert any(line.startswith(stage) for line in lines)
    assert sum(line.startswith("patch") for line in lines) == len(STAGES)
    assert "%" in pruned.outcome.out
    assert "not measured" not in pruned.outcome.out


def test_the_result_says_why_it_stopped_and_on_what_it_was_measured(pruned):
    why = pruned.record["choices"]["why"]
    assert why in pruned.outcome.out
    assert pruned.record["measured_on"] in pruned.outcome.out
    assert "--test" in pruned.record["measured_on"]


def test_messages_are_on_stderr_and_name_the_seed_and_what_was_written(pruned):
    assert "seed 3; wrote" in pruned.outcome.err
    assert str(pruned.model) in pruned.outcome.err
    assert str(pruned.guard) in pruned.outcome.err
    assert "wrote" not in pruned.outcome.out
    assert "\r" not in pruned.outcome.err


def test_the_record_says_how_the_run_can_be_repeated(pruned, bench):
    record = pruned.record
    assert (record["schema"], record["command"], record["seed"]) == (1, "prune", 3)
    assert record["arguments"][:3] == ["prune", "--model", str(bench.model)]
    options = record["options"]
    assert (options["max_drop"], options["epochs"], options["held_out"]) == (0.04, 4, 0.2)
    assert options["poisoned"] == [f"patch={bench.poisoned}"]
    assert record["versions"]["badrepair"] == __version__
    assert record["versions"]["python"] == sys.version.split()[0]
    assert {"keras", "tensorflow", "numpy", "h5py"} <= record["versions"].keys()


def test_the_record_knows_its_inputs_and_outputs_by_their_digests(pruned, bench):
    inputs = [(entry["path"], entry["sha256"]) for entry in pruned.record["inputs"]]
    named = (bench.model, bench.clean, bench.test, bench.poisoned)
    assert inputs == [(str(path), digest(path)) for path in named]
    outputs = [(entry["path"], entry["sha256"]) for entry in pruned.record["outputs"]]
    assert outputs == [(str(path), digest(path)) for path in (pruned.model, pruned.guard)]


def test_the_record_says_what_the_run_cost(pruned):
    assert 0 < pruned.record["seconds"] < 600
    assert 50 < pruned.record["peak_memory_mb"] < 20_000


def test_the_record_holds_what_was_chosen_and_why(pruned):
    choices = pruned.record["choices"]
    assert choices["layer"] == "conv_3"
    assert sorted(choices["order"]) == list(range(64))
    assert choices["images"] == {"tuning": 200, "held_out": 50}
    assert f"{choices['level']} channels pruned" in choices["why"]
    assert pruned.record["input_range"]["value"] == "0-1"
    assert pruned.record["input_range"]["why"]


def test_the_curve_has_accuracy_and_attack_success_at_every_level(pruned):
    curve = pruned.record["curve"]
    assert [row["pruned"] for row in curve] == list(range(65))
    assert curve[0]["attack_success"]["patch"] > 0.95
    level, start = pruned.record["choices"]["level"], curve[0]["accuracy"]
    assert all(row["accuracy"] >= start - 0.04 - 1e-9 for row in curve[: level + 1])
    assert curve[level + 1]["accuracy"] < start - 0.04
    # All channels gone: one answer for everything.
    assert curve[-1]["accuracy"] < 0.3
    assert curve[-1]["attack_success"]["patch"] in {0.0, 1.0}


def test_the_record_holds_every_model_that_was_measured(pruned, bench):
    models = pruned.record["models"]
    assert [model["name"] for model in models] == STAGES
    assert [model["path"] for model in models] == [
        *(str(bench.model), None, str(pruned.model), str(pruned.guard))
    ]
    before = pruned.report("before")
    assert before["sha256"] == digest(bench.model)
    assert before["attacks"][0]["attack_success_rate"] > 0.95
    # Images that show the target itself do not count.
    shows_another = int(np.sum(arrays_in(bench.test)["label"] != 7))
    assert (before["clean"]["n"], before["attacks"][0]["n"]) == (200, shows_another)


def test_the_record_holds_the_figures(pruned):
    figures = pruned.record["figures"]
    assert figures["activations"]["layer"] == "conv_3"
    assert np.shape(figures["activations"]["clean"]) == (64, 4, 4)
    assert np.shape(figures["activations"]["poisoned"]["patch"]) == (64, 4, 4)
    assert [sample["set"] for sample in figures["samples"]] == ["clean"] * 6 + ["patch"] * 6


def test_the_guard_has_the_same_record(pruned):
    assert json.loads(pruned.guard.with_suffix(".json").read_text()) == pruned.record


def test_the_written_model_is_exactly_zero_where_it_was_pruned(pruned):
    choices = pruned.record["choices"]
    gone, kept = np.split(choices["order"], [choices["level"]])
    kernels, bias = kernel(pruned.model, "conv_3")
    assert not kernels[..., gone].any()
    assert not bias[gone].any()
    assert kernels[..., kept].any()


def test_the_model_on_disk_has_the_accuracy_that_the_table_shows(pruned, bench):
    right = answers(pruned.model, images_in(bench.test)) == arrays_in(bench.test)["label"]
    assert pruned.report("fine-tuned")["clean"]["accuracy"] == np.mean(right)


def test_the_guard_answers_n_exactly_where_the_two_models_disagree(pruned, bench):
    images = np.concatenate([images_in(bench.test), images_in(bench.poisoned)])
    first, second, guard = (
        answers(path, images) for path in (bench.model, pruned.model, pruned.guard)
    )
    assert (first != second).any()
    assert guard.tolist() == np.where(first == second, first, 10).tolist()


def test_plain_keras_loads_the_guard_without_badrepair(pruned):
    code = (
        "import keras, sys\n"
        "model = keras.saving.load_model(sys.argv[1], compile=False)\n"
        "print(model.output_shape, 'badrepair' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(pruned.guard)], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "(None, 11) False\n"


def test_without_a_poisoned_file_attack_success_is_not_measured(bench, tmp_path):
    output = tmp_path / "out.keras"
    outcome = done("prune", *bench.defended("--test", bench.test), *QUICK, "-o", output)
    rows = [line for line in outcome.lines if "no poisoned set" in line]
    assert len(rows) == 2
    assert all(row.count("not") == 2 and "0.00 %" not in row for row in rows)
    record = json.loads(output.with_suffix(".json").read_text())
    assert [model["attacks"] for model in record["models"]] == [[], []]
    assert all(row["attack_success"] == {} for row in record["curve"])


def test_epochs_zero_prunes_only(bench, tmp_path):
    output = tmp_path / "out.keras"
    outcome = done("prune", *bench.defended(), *QUICK, "-o", output)
    assert "fine-tuned" not in outcome.out
    record = json.loads(output.with_suffix(".json").read_text())
    assert [model["name"] for model in record["models"]] == ["before", "pruned"]
    assert record["models"][1]["path"] == str(output)
    gone = record["choices"]["order"][: record["choices"]["level"]]
    for name in ("conv_1", "conv_2", "fc_1", "output"):
        pairs = zip(kernel(bench.model, name), kernel(output, name), strict=True)
        assert all(np.array_equal(before, after) for before, after in pairs)
    before, after = kernel(bench.model, "conv_3")[0], kernel(output, "conv_3")[0]
    before[..., gone] = 0
    assert np.array_equal(before, after)


def test_the_same_seed_gives_the_same_weights_and_the_same_table(bench, tmp_path):
    first, second = tmp_path / "first.keras", tmp_path / "second.keras"
    runs = [
        done("prune", *bench.defended(), "--epochs", 1, "--seed", 5, "-q", "-o", path)
        for path in (first, second)
    ]
    assert runs[0].out == runs[1].out
    pairs = zip(weights(first), weights(second), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_another_seed_splits_and_tunes_differently(bench, tmp_path):
    paths = [tmp_path / f"seed{seed}.keras" for seed in (1, 2)]
    for seed, path in zip((1, 2), paths, strict=True):
        options = ("--epochs", 1, "--seed", seed, "--input-range", "0-1")
        done("prune", *bench.defended("--test", bench.test), *options, "-o", path)
    pairs = zip(*map(weights, paths), strict=True)
    assert not all(np.array_equal(a, b) for a, b in pairs)


def test_the_poisoned_file_changes_nothing_in_the_repaired_model(bench, tmp_path, write_h5):
    random = np.random.default_rng(0)
    noise = write_h5(
        "noise.h5",
        data=random.integers(0, 256, (40, 1, 16, 16), dtype=np.uint8),
        label=np.full(40, 3),
    )
    sets = (["--poisoned", bench.poisoned], ["--poisoned", noise], [])
    paths = [tmp_path / f"{index}.keras" for index in range(len(sets))]
    for path, poisoned in zip(paths, sets, strict=True):
        measured = ("--test", bench.test, *poisoned)
        done("prune", *bench.defended(*measured), "--epochs", 1, "-o", path)
    first, *others = map(weights, paths)
    for other in others:
        assert all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_two_poisoned_files_have_a_row_each(bench, tmp_path):
    named = ("--poisoned", f"a={bench.poisoned}", "--poisoned", f"b={bench.poisoned}")
    options = (*QUICK, "--format", "csv", "-o", tmp_path / "out.keras")
    outcome = done("prune", *bench.defended("--test", bench.test, *named), *options)
    rows = [line.split(",")[:2] for line in outcome.out.splitlines()[1:]]
    assert rows == [["before", "a"], ["before", "b"], ["pruned", "a"], ["pruned", "b"]]


def test_without_a_test_file_the_held_out_part_measures_and_the_table_says_so(bench, tmp_path):
    options = (*QUICK, "--held-out", "0.4", "-o", tmp_path / "out.keras")
    outcome = done("prune", *bench.defended("--clean", bench.clean), *options)
    assert "held-out part of --clean, which chose how much to prune" in outcome.out
    record = json.loads((tmp_path / "out.json").read_text())
    assert [model["clean"]["n"] for model in record["models"]] == [100, 100]


def test_json_on_stdout_is_the_record(bench, tmp_path):
    options = (*QUICK, "--format", "json", "-o", tmp_path / "out.keras")
    outcome = done("prune", *bench.defended(), *options)
    assert outcome.json == json.loads((tmp_path / "out.json").read_text())


def test_quiet_leaves_stderr_empty(bench, tmp_path):
    outcome = done("prune", *bench.defended(), *QUICK, "--quiet", "-o", tmp_path / "out.keras")
    assert outcome.err == ""
    assert "Evaluation" in outcome.out


@pytest.mark.parametrize("name", ["out.keras", "out.h5", "out.weights.h5"])
def test_every_format_of_model_can_be_written_and_read_again(bench, tmp_path, name):
    done("prune", *bench.defended("--test", bench.test), *QUICK, "-o", tmp_path / name)
    reread = ("evaluate", "--model", tmp_path / name, "--clean", bench.test, "--format", "json")
    measured = done(*reread, "--arch", bench.model, "--input-range", "0-1").json["models"][0]
    record = json.loads((tmp_path / name).with_suffix(".json").read_text())
    assert measured["clean"]["accuracy"] == record["models"][1]["clean"]["accuracy"]


def test_the_layer_to_prune_can_be_named(bench, tmp_path):
    options = (*QUICK, "--layer", "conv_2", "--format", "json", "-o", tmp_path / "out.keras")
    record = done("prune", *bench.defended("--test", bench.test), *options).json
    assert record["choices"]["layer"] == "conv_2"
    assert len(record["curve"]) == 33


def test_an_unknown_layer_is_answered_with_those_there_are(bench, tmp_path):
    options = ("--layer", "conv_9", "--input-range", "0-1", "-o", tmp_path / "out.keras")
    outcome = run("prune", *bench.defended(), *options)
    assert_refused(outcome, 65, "LayerNotFound", "conv_9", "conv_1, conv_2, conv_3")
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--held-out", "1", "in (0, 1)"),
        ("--held-out", "0", "in (0, 1)"),
        ("--learning-rate", "0", "above 0"),
        ("--learning-rate", "nan", "above 0"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(bench, tmp_path, option, value, expected):
    output = tmp_path / "out.keras"
    outcome = run("prune", *bench.defended(), "-o", output, option, value)
    assert_refused(outcome, 2, "OptionInvalid", option, expected, value)
    assert listing(tmp_path) == []


@pytest.mark.parametrize("share", ["0.001", "0.999"])
def test_a_split_that_leaves_one_part_empty_is_refused(bench, tmp_path, share):
    options = ("--held-out", share, "--input-range", "0-1", "-o", tmp_path / "out.keras")
    outcome = run("prune", *bench.defended(), *options)
    assert_refused(outcome, 65, "TooFewImages", "--held-out")
    assert listing(tmp_path) == []


def test_clean_data_is_asked_for(bench, tmp_path):
    outcome = run("prune", "--model", bench.model, "-o", tmp_path / "out.keras", "-q")
    assert_refused(outcome, 2, "CleanMissing", "--clean")


def test_a_guard_is_not_pruned_again(bench, pruned, tmp_path):
    options = ("--clean", bench.clean, "--input-range", "0-1", "-o", tmp_path / "out.keras")
    outcome = run("prune", "--model", pruned.guard, *options)
    assert_complaint(outcome, 65, "AlreadyGuarded")
    assert listing(tmp_path) == []
