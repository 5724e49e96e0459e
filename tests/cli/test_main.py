"""The command as a whole: quick to answer, one line for a fault, the right exit code."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from badrepair import __version__
from cli.terminal import SCRIPT, assert_refused, plain_environment, run, spawn

COMMANDS = ("demo", "scan", "prune", "strip", "evaluate", "predict", "plot")
HEAVY = {"keras", "tensorflow", "h5py", "sklearn", "scipy", "numpy", "matplotlib", "PIL"}
# 0.4 s is promised for a machine of its own; tests share theirs with each other.
PROMISED_SECONDS = 0.4
TOLERANCE = 1.5
TRIALS = 7


def test_version_names_the_program_and_its_version():
    outcome = run("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"badrepair {__version__}\n", "")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_help_lists_every_command(arguments):
    outcome = run(*arguments)
    assert not outcome.err
    for command in COMMANDS:
        assert f" {command} " in outcome.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_its_options(command):
    outcome = run(command, "--help")
    assert outcome.code == 0
    assert outcome.err == ""
    assert f"badrepair {command}" in outcome.out
    assert "--quiet" in outcome.out
    assert "--debug" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["mend"], "mend"),
        (["prune", "--modell", "x"], "--modell"),
        (["prune"], "--model"),
        (["evaluate"], "--model"),
        (["predict", "--model", "x.keras"], "IMAGE"),
        (["prune", "--model", "x", "-o", "y.keras", "--max-drop", "2"], "--max-drop"),
        (["prune", "--model", "x", "-o", "y.keras", "--epochs", "many"], "--epochs"),
        (["strip", "--model", "x", "-o", "y.keras", "--calibration", "guess"], "--calibration"),
        (["evaluate", "--model", "x", "--format", "xml"], "--format"),
        (["evaluate", "--model", "x", "--max-asr", "1.5"], "--max-asr"),
        (["prune", "--model", "x", "-o", "y.keras", "--seed", "-1"], "--seed"),
        (["predict", "x.png", "--model", "x", "--batch-size", "0"], "--batch-size"),
    ],
)
def test_a_wrong_call_is_one_line_that_names_what_is_wrong(arguments, named):
    outcome = run(*arguments)
    assert_refused(outcome, 2, "Usage", named, "--help")


def test_the_usage_line_names_the_command_in_which_it_went_wrong():
    outcome = spawn("prune", "--modell", "x")
    assert outcome.err.startswith("error[Usage] badrepair prune: ")
    assert outcome.err.endswith("hint: badrepair prune --help\n")


def test_importing_the_command_loads_nothing_heavy():
    code = "import badrepair.cli, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert not HEAVY & set(loaded.stdout.decode().split())


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_the_script_answers_at_once_and_says_nothing_on_stderr(argument):
    seconds = []
    for _ in range(TRIALS):
        started = time.monotonic()
        outcome = spawn(argument)
        seconds.append(time.monotonic() - started)
        assert (outcome.code, outcome.err) == (0, "")
    assert min(seconds) < PROMISED_SECONDS * TOLERANCE


def test_python_m_badrepair_is_the_same_command():
    command = [sys.executable, "-m", "badrepair", "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout == f"badrepair {__version__}\n"


@pytest.mark.parametrize("start", [[SCRIPT], [sys.executable, "-m", "badrepair"]])
@pytest.mark.parametrize("module", ["rich", "typer", "h5py", "numpy", "json"])
def test_modules_beside_a_model_are_not_imported(tmp_path, start, module):
    (tmp_path / f"{module}.py").write_text("open('imported', 'w').close()")
    done = subprocess.run([*start, "scan", "none.keras"], cwd=tmp_path, check=False)
    assert done.returncode == 66
    assert not (tmp_path / "imported").exists()


def test_tensorflow_says_nothing_in_a_process_of_its_own(bench):
    options = ("evaluate", "--model", bench.model, *bench.evaluated())
    outcome = spawn(*options, "--input-range", "0-1", env=plain_environment())
    assert outcome.code == 0
    assert outcome.err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_what_cannot_be_printed_at_the_very_end_is_one_line():
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [SCRIPT, "--version"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    line = b"error[WriteFailed] stdout: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (74, line)


def test_a_closed_stdout_takes_no_data_and_is_no_fault():
    ended = subprocess.run(
        ["sh", "-c", '"$0" --version >&-', SCRIPT], capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
