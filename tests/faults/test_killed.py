"""Fault 50: a run that is killed wherever it is goes on, and ends as one that was not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli import conftest
from cli.repairs import names, record_of
from cli.terminal import done, plain_environment

bench = conftest.bench
KILLS, MOST_SECONDS = 50, 4
LONG = ("--epochs", 12, "--patience", 0, "--augment", "shift", "--input-range", "0-1")


@pytest.mark.slow
def test_fault_50_a_run_that_is_killed_fifty_times_ends_as_one_that_was_not(bench, tmp_path):
    folder, whole = tmp_path / "killed", tmp_path / "whole.keras"
    folder.mkdir()
    command = ("prune", *bench.defended("--test", bench.test), *LONG)
    done(*command, "-o", whole)
    program = [sys.executable, Path(__file__).with_name("mortal.py"), KILLS, MOST_SECONDS, folder]
    ended = subprocess.run(
        [*map(str, program), *map(str, command)],
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ended.stdout)
    assert (told["killed"], told["odd"]) == (KILLS, []), ended.stderr
    for output in map(Path, told["outputs"]):
        assert output.read_bytes() == whole.read_bytes()
        assert record_of(output)["choices"] == record_of(whole)["choices"]
    numbers = range(len(told["outputs"]))
    # A kill may come between the last file of an output and the end of its checkpoint and locks.
    left = {name for name in names(folder) if not name.endswith((".checkpoint", ".lock"))}
    assert left == {f"{number}.{ending}" for number in numbers for ending in ("json", "keras")}
