"""Faults 47, 48, 52 to 54 and 58 to 62: signals, memory, odd machines, and runs that repeat."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from cli import conftest
from cli.repairs import names, record_of, weights
from cli.terminal import (
    SCRIPT,
    Outcome,
    assert_complaint,
    assert_refused,
    done,
    listing,
    plain_environment,
    run,
    spawn,
)

from badrepair.levels import Curve
from badrepair.locking import lock_path
from badrepair.models import inference

bench = conftest.bench
QUICK = ("--epochs", 0, "--input-range", "0-1")
MOST_SECONDS = 30

# A `plot` without TensorFlow that stands still as it writes: in Python, or deep in a library that
# hears of no signal for minutes.
STILL = """
import hashlib, signal, sys, time
from badrepair.cli import main

# Who started the tests may ignore these.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

def sleep(path):
    time.sleep(600)

def work(path):
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)

still, plot = {"sleep": sleep, "work": work}[sys.argv.pop(1)], sys.modules["badrepair.cli.plot"]
plot._figures_of = lambda path, wanted: [("curve", {})]
plot._drawn = lambda drawing: still
main()
"""


@pytest.fixture
def stopped(tmp_path):
    """Return a function that sends signals to a run that writes; and what became of it."""

    def stopped(how, *signals):
        words = ("plot", tmp_path / "out.json", "-o", tmp_path / "out.png")
        command = [sys.executable, "-c", STILL, how, *map(str, words)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            last = time.monotonic() + MOST_SECONDS
            while not any(".tmp-" in name for name in names(tmp_path)):
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < last
                time.sleep(0.01)
            for number in signals:
                process.send_signal(number)
                time.sleep(0.3)
            out, err = process.communicate(timeout=MOST_SECONDS)
        assert names(tmp_path) == []
        return Outcome(process.returncode, out, err)

    return stopped


def test_fault_47_ctrl_c_is_one_line_and_leaves_nothing(stopped):
    outcome = stopped("sleep", signal.SIGINT)
    assert_refused(outcome, 130, "Interrupted", "stopped by Ctrl-C", "nothing was written")


def test_fault_47_a_second_ctrl_c_ends_the_run_at_once_wherever_it_is(stopped):
    outcome = stopped("work", signal.SIGINT, signal.SIGINT)
    assert_refused(outcome, 130, "Interrupted", "at once")


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_fault_48_a_signal_to_end_is_one_line_and_leaves_nothing(stopped, name, code):
    outcome = stopped("sleep", getattr(signal, name))
    assert_refused(outcome, code, "Interrupted", f"stopped by {name}", "nothing was written")


@pytest.mark.parametrize("words", [("--help",), ("prune", "--help"), ("evaluate",)])
def test_fault_48_a_reader_that_has_gone_ends_the_run_without_a_word(bench, words):
    reading, writing = os.pipe()
    os.close(reading)
    if words == ("evaluate",):
        words += ("--model", bench.model, *bench.evaluated(), "--quiet")
    ended = subprocess.run(
        [SCRIPT, *map(str, words)], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.fixture
def small_memory(monkeypatch):
    """Return a function that lets calls of more than so many images run out of memory."""

    def small_memory(most):
        def batches(images, size, really=inference.batches):
            if size > most:
                raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
            return really(images, size)

        monkeypatch.setattr(inference, "batches", batches)

    return small_memory


def test_fault_52_calls_that_are_too_large_for_the_memory_are_halved(bench, small_memory):
    words = ("--model", bench.model, *bench.evaluated(), "--input-range", "0-1")
    whole = done("evaluate", *words, "--format", "json").json
    small_memory(25)
    outcome = done("evaluate", *words, "--format", "json")
    assert outcome.json == whole
    assert "too little memory for calls of 100 images" in outcome.err
    assert "too little memory for calls of 25 images" not in outcome.err


def test_fault_52_a_machine_with_no_room_for_an_eighth_is_too_small(bench, small_memory, tmp_path):
    small_memory(11)
    words = ("--model", bench.model, *bench.evaluated(), "--input-range", "0-1")
    outcome = run("evaluate", *words, "-o", tmp_path / "out.json")
    assert_complaint(outcome, 69, "OutOfMemory", "a call of 12 images", "GiB", "--batch-size")
    assert listing(tmp_path) == []


def test_fault_53_a_card_that_is_not_there_is_no_fault(bench):
    words = ("--model", bench.model, *bench.evaluated(), "--input-range", "0-1", "--format", "json")
    environment = plain_environment(CUDA_VISIBLE_DEVICES="0", LD_LIBRARY_PATH="/nowhere")
    outcome = spawn("evaluate", *words, env=environment)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.json["models"][0]["clean"]["n"] == 200


# Starts TensorFlow, and says whether it takes all the memory of a card.
STARTED = """
import os
from badrepair.starting import start_tensorflow

start_tensorflow()
print(os.environ["TF_FORCE_GPU_ALLOW_GROWTH"])
"""


def test_fault_54_a_card_is_shared_with_others():
    command, environment = [sys.executable, "-c", STARTED], plain_environment()
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("true\n", "")


@pytest.fixture
def accuracy_in(bench):
    """Return a function that evaluates the BadNet in another process: the accuracy."""

    def accuracy_in(environment, *, without=()):
        for name in without:
            environment.pop(name, None)
        words = ("--model", bench.model, *bench.evaluated(), "--format", "json")
        outcome = spawn("evaluate", *words, "--input-range", "0-1", env=environment)
        assert (outcome.code, outcome.err) == (0, "")
        return outcome.json["models"][0]["clean"]["accuracy"]

    return accuracy_in


def test_fault_58_somebody_without_a_home_is_served(bench, accuracy_in):
    homeless = ("HOME", "XDG_CACHE_HOME", "KERAS_HOME")
    assert accuracy_in(plain_environment(), without=homeless) > 0.9
    assert accuracy_in(plain_environment(HOME="/proc/nowhere"), without=homeless[1:]) > 0.9


def test_fault_58_what_a_home_says_of_numbers_changes_nothing(bench, accuracy_in, tmp_path):
    told = {"floatx": "float64", "backend": "jax", "image_data_format": "channels_first"}
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(told))
    before = listing(tmp_path)
    expected = accuracy_in(plain_environment())
    elsewhere = plain_environment(HOME=str(tmp_path), KERAS_HOME=str(tmp_path / ".keras"))
    assert accuracy_in(elsewhere) == expected
    assert listing(tmp_path) == before


def test_fault_58_an_environment_that_asks_for_keras_2_is_refused(bench, tmp_path):
    words = ("--model", bench.model, "--clean", bench.clean, "-o", tmp_path / "out.keras")
    outcome = spawn("prune", *words, env=plain_environment(TF_USE_LEGACY_KERAS="1"))
    assert_refused(outcome, 2, "LegacyKeras", "TF_USE_LEGACY_KERAS", "unset it")
    assert listing(tmp_path) == []


def test_fault_59_a_plain_old_terminal_gets_plain_text(bench, tmp_path):
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    environment = plain_environment(**plain, NO_COLOR="1", COLUMNS="20", TERM="dumb")
    model = shutil.copy(bench.model, tmp_path / "größe.keras")
    words = ("--model", model, *bench.evaluated(), "--input-range", "0-1")
    outcome = spawn("evaluate", *words, env=environment)
    assert (outcome.code, outcome.err) == (0, "")
    assert "\x1b" not in outcome.out
    assert outcome.out.isascii()
    outcome = spawn("evaluate", "--model", tmp_path / "größe.h5", *words[2:], env=environment)
    assert_refused(outcome, 66, "InputMissing", "no such file")
    assert outcome.err.isascii()


DIVERGING = ("--epochs", 4, "--learning-rate", "1e30", "--input-range", "0-1")


def test_fault_60_tuning_that_diverges_keeps_the_best_so_far(bench, tmp_path):
    output = tmp_path / "out.keras"
    before = listing(bench.folder)
    done("prune", *bench.defended(), *DIVERGING, "--max-drop", 1, "-o", output)
    choices = record_of(output)["choices"]
    assert choices["epoch"] == 0
    assert "fine-tuning diverged: epoch 1 left weights that are no numbers" in choices["why_epoch"]
    assert all(np.isfinite(array).all() for array in weights(output))
    assert listing(bench.folder) == before


def test_fault_60_a_repair_that_changes_nothing_is_none(bench, tmp_path, monkeypatch):
    def nothing(curve, drop, really=Curve.level, **how):
        return dataclasses.replace(really(curve, drop, **how), pruned=0)

    monkeypatch.setattr(Curve, "level", nothing)
    output = tmp_path / "out.keras"
    outcome = run("prune", *bench.defended(), *DIVERGING, "-o", output)
    assert_complaint(outcome, 65, "RepairFailed", str(bench.model), "diverged", "--learning-rate")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["out.keras", "out.h5", "out.weights.h5"])
def test_fault_61_the_same_seed_writes_the_same_bytes(bench, tmp_path, name):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        words = ("--epochs", 2, "--input-range", "0-1", "--augment", "shift", "--seed", 5)
        done("prune", *bench.defended(), *words, "-o", tmp_path / folder / name)
    one, two = ((tmp_path / folder / name).read_bytes() for folder in ("one", "two"))
    assert one == two


def test_fault_62_clocks_and_process_numbers_decide_nothing(bench, tmp_path):
    output = tmp_path / "out.keras"
    # A process that runs, but has nothing to do with this output.
    lock_path(output).write_text(f"{os.getppid()}\n")
    clean = shutil.copy(bench.clean, tmp_path / "clean.h5")
    os.utime(clean, (2**33, 2**33))
    words = ("--model", bench.model, "--clean", clean, *QUICK)
    done("prune", *words, "-o", output)
    assert names(tmp_path) == ["clean.h5", "out.json", "out.keras"]
