"""`badrepair prune --resume`: a run that was stopped ends as one that was not."""

from __future__ import annotations

import os
import shutil
import signal

import numpy as np
import pytest

from cli.repairs import names, record_of, weights, written
from cli.stored import arrays_in
from cli.terminal import assert_complaint, done, run
from cli.unfinished import checkpoint, interrupted, kept, killed

EPOCHS = 40
LONG = ("--epochs", EPOCHS, "--patience", 0, "--augment", "shift", "--input-range", "0-1")


@pytest.fixture(scope="module")
def whole(bench, tmp_path_factory):
    """Return the model of a run that nothing stopped."""
    output = tmp_path_factory.mktemp("whole") / "out.keras"
    done("prune", *bench.defended(), *LONG, "-o", output)
    return output


@pytest.fixture(scope="module")
def left(bench, tmp_path_factory):
    """Return the checkpoint that a killed run leaves."""
    output = tmp_path_factory.mktemp("killed") / "out.keras"
    killed(output, "prune", *bench.defended(), *LONG)
    assert kept(output.parent) == ["out.keras.checkpoint"]
    return checkpoint(output)


@pytest.fixture
def output(left, tmp_path):
    """Return an output whose checkpoint is that of the killed run."""
    output = tmp_path / "again.keras"
    shutil.copy(left, checkpoint(output))
    return output


def resumed(bench, output, *options):
    """Resume the killed run with some options changed, whatever comes of it."""
    return run("prune", *bench.defended(), *LONG, *options, "-o", output, "--resume")


def assert_same(output, whole):
    """Check that two runs came to the same bytes of weights by the same choices."""
    pairs = zip(weights(output), weights(whole), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert record_of(output)["choices"] == record_of(whole)["choices"]


def assert_untouched(output, left):
    """Check that a refusal left the checkpoint and nothing else."""
    assert names(output.parent) == [checkpoint(output).name]
    assert checkpoint(output).read_bytes() == left.read_bytes()


@pytest.mark.slow
def test_a_killed_run_ends_as_one_that_was_not(bench, whole, output):
    with np.load(checkpoint(output)) as state:
        before = state["accuracies"].tolist()
    assert 0 < len(before) < EPOCHS
    outcome = resumed(bench, output)
    assert outcome.code == 0, outcome.err
    assert f"going on from {checkpoint(output)}" in outcome.err
    assert record_of(output)["choices"]["tuning_curve"][: len(before)] == before
    assert_same(output, whole)
    assert names(output.parent) == ["again.json", "again.keras"]


@pytest.mark.slow
def test_it_goes_on_with_other_files_to_measure_elsewhere_and_with_more_to_write(
    bench, whole, output, monkeypatch
):
    shutil.copy(bench.clean, output.with_name("moved.h5"))
    monkeypatch.chdir(output.parent)
    files = ("--model", os.path.relpath(bench.model), "--clean", "moved.h5")
    more = ("--guard", "--quiet", "--max-asr", "1", "--poisoned", f"x={bench.clean}", "--resume")
    done("prune", *files, *LONG, *more, "-o", output.name)
    assert_same(output, whole)
    assert "again-guard.keras" in names(output.parent)


@pytest.mark.parametrize(
    "other",
    [
        ("--seed", 1),
        ("--epochs", EPOCHS + 1),
        ("--learning-rate", "0.002"),
        ("--max-drop", "0.05"),
        ("--layer", "conv_2"),
        ("--rank", "random"),
        ("--augment", "none"),
    ],
)
def test_a_run_with_another_option_is_not_the_one_that_was_left(bench, left, output, other):
    outcome = resumed(bench, output, *other)
    assert_complaint(outcome, 65, "CheckpointOther", str(checkpoint(output)), "--resume")
    assert_untouched(output, left)


def test_a_run_on_another_clean_file_is_not_the_one_that_was_left(bench, left, output):
    arrays = arrays_in(bench.clean)
    arrays["data"][0] ^= 1
    clean = written(output.with_name("other.h5"), arrays, slice(None))
    outcome = resumed(bench, output, "--clean", clean)
    assert_complaint(outcome, 65, "CheckpointOther", str(checkpoint(output)))
    clean.unlink()
    assert_untouched(output, left)


def test_a_level_is_not_resumed_from_another_level(bench, left, output):
    shutil.move(checkpoint(output), checkpoint(output.with_stem("again-02")))
    outcome = resumed(bench, output, "--levels", "0.02,0.04")
    assert_complaint(outcome, 65, "CheckpointOther", "again-02.keras.checkpoint")


def test_without_resume_it_starts_anew_and_says_so(bench, output):
    options = ("--epochs", 1, "--input-range", "0-1", "-o", output)
    outcome = done("prune", *bench.defended(), *options)
    assert f"starting anew; {checkpoint(output)} of an unfinished run is given up" in outcome.err
    assert len(record_of(output)["choices"]["tuning_curve"]) == 1
    assert names(output.parent) == ["again.json", "again.keras"]


@pytest.mark.parametrize("epochs", [0, 1])
def test_with_nothing_to_resume_it_starts_anew_and_says_so(bench, tmp_path, epochs):
    output = tmp_path / "out.keras"
    options = ("--epochs", epochs, "--input-range", "0-1", "-o", output, "--resume")
    outcome = done("prune", *bench.defended(), *options)
    assert f"no {checkpoint(output)}: starting anew" in outcome.err
    assert names(tmp_path) == ["out.json", "out.keras"]


def cut(content):
    return content[: len(content) // 2]


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, flipped, lambda _: b"", lambda _: b"no state"])
def test_a_damaged_checkpoint_is_one_line(bench, output, damage):
    checkpoint(output).write_bytes(damage(checkpoint(output).read_bytes()))
    outcome = resumed(bench, output)
    assert_complaint(outcome, 65, "CheckpointInvalid", str(checkpoint(output)), "leave out")
    assert names(output.parent) == ["again.keras.checkpoint"]


@pytest.mark.parametrize("options", [("--resume",), ()])
def test_a_folder_in_place_of_the_checkpoint_is_one_line(bench, tmp_path, options):
    output = tmp_path / "out.keras"
    checkpoint(output).mkdir()
    common = ("--epochs", 1, "--input-range", "0-1", "-o", output)
    outcome = run("prune", *bench.defended(), *common, *options)
    assert outcome.code in {65, 73}, outcome.err
    assert_complaint(outcome, outcome.code, "NotAFile", str(checkpoint(output)), "a folder")
    assert names(tmp_path) == ["out.keras.checkpoint"]


@pytest.mark.slow
def test_ctrl_c_leaves_the_checkpoint_and_says_how_to_go_on(bench, tmp_path):
    output = tmp_path / "out.keras"
    command = ("prune", *bench.defended(), *LONG, "-o", output)
    outcome = interrupted(signal.SIGINT, output, *command)
    assert_complaint(outcome, 130, "Interrupted")
    assert f"--resume goes on from {checkpoint(output)}" in outcome.err
    assert names(tmp_path) == ["out.keras.checkpoint"]


@pytest.mark.slow
def test_ctrl_c_in_the_second_level_keeps_the_first_and_a_quiet_run_says_so_too(bench, tmp_path):
    second = tmp_path / "out-10.keras"
    options = ("--levels", "0.02,0.1", "--quiet", "-o", tmp_path / "out.keras")
    outcome = interrupted(signal.SIGINT, second, "prune", *bench.defended(), *LONG, *options)
    assert_complaint(outcome, 130, "Interrupted")
    assert names(tmp_path) == ["out-02.keras.checkpoint", "out-10.keras.checkpoint"]
    assert "--resume" in outcome.err
