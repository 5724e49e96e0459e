"""Whatever goes wrong inside a command, the user gets one line and the promised exit code."""

from __future__ import annotations

import copy
import io
import re
from contextlib import suppress
from pathlib import Path

import pytest

from badrepair.errors import ResourceError
from cli.terminal import Screen, assert_refused, done, listing, run

# Steps of `prune` in the order in which they run, where something may go wrong.
STEPS = (
    "badrepair.cli.inputs.load_model",
    "badrepair.opening.arrange",
    "badrepair.defenses.fine_pruning.FinePruning.measure",
    "badrepair.cli.measuring.evaluate",
    "badrepair.exhibits.activations",
    "badrepair.cli.outputs.model_bytes",
    "badrepair.writing.write_together",
)


@pytest.fixture
def prune(bench, tmp_path):
    """Return a function that runs a quick `prune` into the test's own folder."""

    def prune(*options):
        quick = ("--epochs", 0, "--input-range", "0-1", "-o", tmp_path / "out.keras")
        return run("prune", *bench.defended(), *quick, *options)

    return prune


@pytest.fixture
def failing(monkeypatch):
    """Return a function that makes a step raise."""

    def failing(step, error):
        def fail(*_, **__):
            # A copy: an error that its own traceback refers to would keep data files open.
            raise copy.copy(error)

        monkeypatch.setattr(step, fail)

    return failing


@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_at_any_step_is_one_line_and_leaves_nothing(prune, failing, tmp_path, step):
    failing(step, KeyboardInterrupt())
    outcome = prune()
    assert_refused(outcome, 130, "Interrupted", "Ctrl-C", "nothing was written")
    assert listing(tmp_path) == []


@pytest.mark.parametrize("step", STEPS)
def test_a_fault_of_ours_is_one_line_and_leaves_nothing(prune, failing, tmp_path, step):
    failing(step, ZeroDivisionError("division\nby zero"))
    outcome = prune()
    assert_refused(outcome, 70, "Internal", "ZeroDivisionError: division by zero", "--debug")
    assert listing(tmp_path) == []


def test_debug_shows_the_traceback_before_the_line(prune, failing):
    failing(STEPS[2], ZeroDivisionError("division by zero"))
    outcome = prune("--debug")
    assert outcome.code == 70
    assert "Traceback (most recent call last)" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("error[Internal] badrepair: ZeroDivisionError")


def test_too_little_memory_is_said_with_a_way_out(prune, failing, tmp_path):
    failing(STEPS[2], MemoryError())
    assert_refused(prune(), 69, "OutOfMemory", "--batch-size", "--limit")
    assert listing(tmp_path) == []


def test_tensorflow_running_out_of_memory_is_the_same(prune, failing):
    import tensorflow as tf

    failing(STEPS[2], tf.errors.ResourceExhaustedError(None, None, "OOM when allocating"))
    assert_refused(prune(), 69, "OutOfMemory", "--batch-size")


def test_a_fault_with_its_own_code_keeps_it(prune, failing):
    failing(STEPS[2], ResourceError("DiskFull", "/tmp", "expected room", "make some"))
    outcome = prune()
    assert (outcome.code, outcome.err) == (
        69,
        "error[DiskFull] /tmp: expected room; hint: make some\n",
    )


def test_words_from_a_file_cannot_drive_the_terminal(prune, failing):
    failing(STEPS[2], ValueError("\x1b[2J[bold]gone[/bold]\x07 \u202etxt"))
    outcome = prune()
    assert_refused(outcome, 70, "Internal", "[bold]gone[/bold]")
    assert outcome.err.strip().isprintable()


def test_a_command_after_an_interrupted_one_works_as_ever(prune, failing, monkeypatch, tmp_path):
    with monkeypatch.context() as patched:
        patched.setattr(STEPS[2], lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        assert prune("--quiet").code == 130
    outcome = prune()
    assert outcome.code == 0
    assert "wrote" in outcome.err
    assert {path.name for path in tmp_path.iterdir()} == {"out.keras", "out.json"}


def test_quiet_of_one_command_does_not_silence_the_next(bench):
    options = ("evaluate", "--model", bench.model, *bench.evaluated())
    assert done(*options, "--quiet").err == ""
    assert done(*options).err != ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_behind_stdout_is_one_line(bench):
    options = ("--model", bench.model, *bench.evaluated(), "--input-range", "0-1")
    # Closing it fails again.
    with suppress(OSError), Path("/dev/full").open("w", buffering=1) as full:
        outcome = run("evaluate", *options, stdout=full)
    assert_refused(outcome, 74, "WriteFailed", "No space left")


def test_a_stdout_that_knows_only_ascii_gets_what_it_can_take(bench):
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    options = ("--model", bench.model, *bench.evaluated(), "--input-range", "0-1")
    outcome = run("evaluate", *options, stdout=ascii_only)
    assert (outcome.code, outcome.err) == (0, "")
    ascii_only.flush()
    assert b"Evaluation" in ascii_only.buffer.getvalue()


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_no_number_is_cut_however_narrow_the_terminal(bench, stripped, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    screen = Screen()
    models = ("--baseline", bench.model, "--model", stripped.model)
    run("evaluate", *models, *bench.evaluated(), "--quiet", stdout=screen)
    words = screen.getvalue().split()
    # Of each model the accuracy on two sets and the attack success; rejections of the guard.
    assert sum(re.fullmatch(r"[\d.]+\]", word) is not None for word in words) == 2 * 3 + 2
    assert words.count("200") == 2
