"""`badrepair prune` with its options: what each changes, and what none may change."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cli.terminal import assert_complaint, assert_refused, done, listing, run

QUICK = ("--epochs", 0, "--input-range", "0-1")


def weights(path):
    from badrepair import load_model

    return load_model(path).get_weights()


def kernel(path, layer):
    from badrepair import load_model

    return load_model(path).get_layer(layer).get_weights()


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
