"""`badrepair bench`: a grid is run, its lines are kept, and the reports are made of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from bars import spec

from cli.terminal import (
    assert_complaint,
    assert_refused,
    done,
    listing,
    plain_environment,
    run,
)

pytestmark = pytest.mark.slow

GRID = """
name = "bars"
data = ["{data}"]
seeds = [0]
poison_rates = [0.2]
clean_images = 60

[[architecture]]
name = "small-cnn"
epochs = 10
patience = 0
learning_rate = 0.003
tuning_batch = 16

[[attack]]
method = "badnets"
target = [2]

[[defense]]
method = "fine-pruning"
epochs = 2

[[defense]]
method = "max-softmax"
frr = 0.05
{more}
"""
# Who started the tests may ignore Ctrl-C.
HEARING = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    " from badrepair.cli import main; main()"
)
# Two networks, the clean control and the attacked one, each as it is and with two defences.
CELLS = 6
REPORTS = {"leaderboard.md", "leaderboard.csv", "leaderboard.html"}
SHRINK = '''
from dataclasses import dataclass
from badrepair.models.surgery import copy_model
from badrepair.types import RepairResult

@dataclass(frozen=True, kw_only=True)
class Shrink:
    """Shrink.

    Args:
        factor: By how much.
        seed: Changes nothing.
    """

    factor: float = 0.5
    seed: int = 0

    def repair(self, model, clean):
        repaired = copy_model(model)
        last = repaired.layers[-1]
        last.set_weights([self.factor * weights for weights in last.get_weights()])
        return RepairResult(model=repaired, choices={"factor": self.factor})
'''


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return spec(tmp_path_factory.mktemp("bars"))


def grid(folder, data, more=""):
    path = folder / "grid.toml"
    path.write_text(GRID.format(data=data, more=more))
    return path


@pytest.fixture(scope="module")
def ran(data, tmp_path_factory):
    """Return what a whole grid printed, its file and its folder."""
    folder = tmp_path_factory.mktemp("ran")
    path = grid(folder, data)
    return done("bench", path, "-o", folder / "out"), path, folder / "out"


def lines(folder):
    return [json.loads(text) for text in (folder / "cells.jsonl").read_text().splitlines()]


def without_cost(folder):
    return [
        {name: value for name, value in line.items() if name != "cost"} for line in lines(folder)
    ]


def test_every_cell_has_a_line_and_every_network_a_folder(ran):
    _, _, folder = ran
    assert [line["status"] for line in lines(folder)] == ["done"] * CELLS
    assert len(list((folder / "nets").iterdir())) == 2
    assert {path.name for path in folder.iterdir()} >= {*REPORTS, "cells.jsonl", "nets"}


def test_the_tables_name_every_defence_and_the_notes_say_where_all_is(ran):
    outcome, _, _ = ran
    assert "bars: 2 networks, 6 cells" in outcome.err
    assert "6 of 6 cells measured; wrote" in outcome.err
    for name in ("none", "fine-pruning", "max-softmax"):
        assert any(line.startswith(name) for line in outcome.lines)


def test_the_page_holds_the_grids_name_and_the_command_that_repeats_it(ran):
    _, path, folder = ran
    page = (folder / "leaderboard.html").read_text()
    assert "bars" in page
    assert f"badrepair bench {path} -o {folder}" in page


def test_a_second_run_runs_nothing_and_reports_the_same(ran):
    outcome, path, folder = ran
    before = [entry for entry in listing(folder) if "leaderboard" not in entry[0]]
    again = done("bench", path, "-o", folder)
    assert again.out == outcome.out
    after = [entry for entry in listing(folder) if "leaderboard" not in entry[0]]
    nets = [[entry for entry in found if "/nets/" in entry[0]] for found in (before, after)]
    assert nets[0] == nets[1]
    assert lines(folder) == lines(folder)


def test_the_same_grid_gives_the_same_lines_with_one_worker_or_two(ran, data, tmp_path):
    done("bench", grid(tmp_path, data), "-o", tmp_path / "out", "--workers", 1)
    assert without_cost(tmp_path / "out") == without_cost(ran[2])


def test_a_method_of_ones_own_takes_part_and_reruns_only_its_own_cells(data, tmp_path):
    own = tmp_path / "shrink.py"
    own.write_text(SHRINK)
    more = f'\n[[defense]]\nmethod = "{own}"\nlabel = "shrink"\nfactor = 0.8\n'
    path = grid(tmp_path, data, more)
    done("bench", path, "-o", tmp_path / "out")
    first = {line["key"]: line for line in lines(tmp_path / "out")}
    assert len(first) == CELLS + 2
    # A smaller last layer answers the same, only less surely.
    shrunk = [line for line in first.values() if line["cell"]["defense"] == "shrink"]
    for line in shrunk:
        assert line["after"]["accuracy"] == line["before"]["accuracy"]
        assert line["choices"] == {"factor": 0.8}
    own.write_text(SHRINK + "# changed\n")
    done("bench", path, "-o", tmp_path / "out")
    second = {line["key"]: line for line in lines(tmp_path / "out")}
    assert len(set(second) - set(first)) == 2


def test_a_cell_that_fails_is_told_and_the_others_go_on(data, tmp_path):
    # 60 clean images are too few for one false rejection in a thousand.
    more = '\n[[defense]]\nmethod = "max-softmax"\nlabel = "strict"\nfrr = 0.001\n'
    outcome = done("bench", grid(tmp_path, data, more), "-o", tmp_path / "out")
    failed = [line for line in lines(tmp_path / "out") if line["status"] == "failed"]
    assert {line["error"]["code"] for line in failed} == {"TooFewImages"}
    assert len(failed) == 2
    assert "6 of 8 cells measured, 2 failed: --retry-failed runs them again" in outcome.err
    assert "TooFewImages" in outcome.out


def test_after_its_budget_nothing_new_begins_and_the_reports_say_what_is_missing(data, tmp_path):
    path = grid(tmp_path, data)
    outcome = done("bench", path, "-o", tmp_path / "out", "--budget-minutes", 0.0001)
    assert "6 missing: the same command goes on" in outcome.err
    assert {entry.name for entry in (tmp_path / "out").iterdir()} >= REPORTS
    done("bench", path, "-o", tmp_path / "out")
    assert [line["status"] for line in lines(tmp_path / "out")] == ["done"] * CELLS


def test_ctrl_c_keeps_what_is_measured_and_the_next_run_goes_on(ran, data, tmp_path):
    path, folder = grid(tmp_path, data), tmp_path / "out"
    words = ["bench", str(path), "-o", str(folder), "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", HEARING, *words],
        env=plain_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(600):
        if (folder / "cells.jsonl").exists() and lines(folder):
            break
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "error[Interrupted]" in err
    assert "Traceback" not in err
    kept = lines(folder)
    assert 0 < len(kept) < CELLS
    done("bench", path, "-o", folder)
    assert without_cost(folder) == without_cost(ran[2])
    costs = {line["key"]: line["cost"] for line in lines(folder)}
    assert all(costs[line["key"]] == line["cost"] for line in kept)


@pytest.mark.parametrize("how", ["json", "csv", "md"])
def test_results_are_printed_as_asked(ran, how):
    _, path, folder = ran
    outcome = done("bench", path, "-o", folder, "--format", how)
    if how == "json":
        assert outcome.json["failures"] == []
    else:
        stored = (folder / f"leaderboard.{how}").read_text()
        assert outcome.out.split() == stored.split()


def test_a_mistake_in_the_grid_is_told_with_its_place_before_anything_is_made(data, tmp_path):
    more = '\n[[defense]]\nmethod = "strip"\noverlay = 3\n'
    outcome = run("bench", grid(tmp_path, data, more), "-o", tmp_path / "out")
    assert_refused(outcome, 65, "GridInvalid", "[[defense]] 3", "overlay", "overlays")
    assert not (tmp_path / "out").exists()


def test_a_grid_that_is_not_there_is_told(tmp_path):
    outcome = run("bench", tmp_path / "none.toml", "-o", tmp_path / "out")
    assert_refused(outcome, 66, "InputMissing", "none.toml")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--address", "localhost:1"], "--engine ray"),
        (["--engine", "ray", "--workers", "2"], "--engine local"),
        (["--budget-minutes", "0"], "--budget-minutes"),
    ],
)
def test_options_that_do_not_fit_are_refused(ran, words, named):
    _, path, folder = ran
    outcome = run("bench", path, "-o", folder, *words)
    assert_complaint(outcome, 2, "OptionInvalid", named)
