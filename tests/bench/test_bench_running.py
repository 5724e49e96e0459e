"""The driver: every cell is run once, and recorded whatever happens to it or to the run."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace

import fakes
import pytest

from badrepair import progress
from badrepair.bench import running
from badrepair.bench.engines.local import LocalEngine
from badrepair.bench.line import Line
from badrepair.bench.running import run
from badrepair.errors import OptionError, WriteError
from badrepair.locking import locked

# Two seeds, each with a clean control and an attack, and no defence beside: 4 x 2 cells.
PLAIN = {"one": "answer"}


@pytest.fixture
def traces(tmp_path, monkeypatch):
    folder = tmp_path / "traces"
    folder.mkdir()
    monkeypatch.setenv(fakes.TRACES, str(folder))
    return folder


@pytest.fixture
def ran(tmp_path, traces):
    """Return a function that runs a grid into a folder and returns its lines."""

    def ran(grid, folder="out", workers=2, **options):
        with LocalEngine(workers) as engine:
            ran.tally = run(
                grid, tmp_path / folder, engine, fakes.make_net, fakes.measure, **options
            )
        return lines_of(tmp_path / folder)

    return ran


class Inline:
    """An engine that runs each task in this process, at once."""

    workers = 1

    def submit(self, function, *arguments):
        future = Future()
        future.set_result(function(*arguments))
        return future

    def parcel(self, folder):
        return folder


def lines_of(folder):
    return [json.loads(text) for text in (folder / "cells.jsonl").read_text().splitlines()]


def but_cost(lines):
    return [{name: part for name, part in line.items() if name != "cost"} for line in lines]


def labels(line):
    return line["cell"]["seed"], line["cell"]["attack"], line["cell"]["defense"]


def failures(lines):
    return {labels(line): line["error"]["code"] for line in lines if line["error"]}


def test_every_cell_has_a_line_in_the_order_of_the_grid(ran):
    lines = ran(fakes.grid(PLAIN))
    assert [labels(line) for line in lines] == [
        (seed, attack, defense)
        for seed in (0, 1)
        for attack in ("none", "patch")
        for defense in ("none", "one")
    ]
    assert vars(ran.tally) == {"total": 8, "done": 8, "failed": 0}
    assert all(Line.from_json(line).status == "done" for line in lines)


def test_every_network_is_trained_once_and_every_cell_measured_once(ran, traces):
    ran(fakes.grid(PLAIN))
    assert fakes.calls(traces) == [
        *(f"cell {label} {seed} {attack}" for label in ("none", "one") for seed in (0, 1)
          for attack in ("none", "patch")),
        *(f"net {attack} {seed}" for attack in ("fake", "none") for seed in (0, 1)),
    ]  # fmt: skip


def test_a_line_says_what_it_is_of_what_came_of_it_and_what_it_took(ran):
    grid = fakes.grid(PLAIN, seeds=(5,))
    line = ran(grid)[3]
    assert line["key"] == grid.cells[3].key
    assert line["net"] == grid.cells[3].net.key == grid.nets[1].key
    assert (line["schema"], line["kind"], line["status"]) == (1, "repair", "done")
    assert line["choices"]["threshold"] is None  # an infinity
    assert 0 <= line["cost"]["seconds"] < 10
    assert 5 < line["cost"]["peak_mib"] < 500


def test_the_number_of_workers_changes_nothing_but_the_cost(ran):
    one, two = (ran(fakes.grid(PLAIN), f"{count}", workers=count) for count in (1, 2))
    assert but_cost(one) == but_cost(two)


def test_a_cell_that_fails_is_recorded_in_one_line_and_the_others_go_on(ran):
    lines = ran(fakes.grid({"bad": "complain", "odd": "break", "big": "exhaust", "good": "answer"}))
    assert {labels(line)[2]: line["error"] for line in lines if line["error"]} == {
        "bad": {"code": "TooFewImages", "message": "clean.h5: there are two; hint: give more"},
        "odd": {"code": "ZeroDivisionError", "message": "no reason given"},
        "big": {"code": "MemoryError", "message": "cannot hold weights"},
    }
    assert vars(ran.tally) == {"total": 20, "done": 8, "failed": 12}
    assert all(Line.from_json(line) for line in lines)


def test_a_network_that_cannot_be_trained_fails_its_cells_and_is_not_kept(ran, tmp_path):
    grid = fakes.grid(PLAIN, attacks=("patch", "wrong"), training={"wrong": "break"}, seeds=(0,))
    lines = ran(grid)
    assert failures(lines) == {
        (0, "wrong", "none"): "ZeroDivisionError",
        (0, "wrong", "one"): "ZeroDivisionError",
    }
    kept = {path.name for path in (tmp_path / "out" / "nets").iterdir()}
    assert kept == {net.key for net in grid.nets[:2]}


def test_a_cell_that_kills_its_worker_is_tried_again_alone_and_then_failed(ran, traces):
    lines = ran(fakes.grid({"bad": "die", "good": "answer"}, seeds=(0,)))
    assert failures(lines) == {(0, "none", "bad"): "WorkerDied", (0, "patch", "bad"): "WorkerDied"}
    called = fakes.calls(traces)
    assert called.count("cell bad 0 patch") == 2
    assert called.count("cell good 0 patch") == 1


def test_a_worker_that_dies_once_costs_nothing(ran, traces):
    lines = ran(fakes.grid({"shaky": "die once"}, seeds=(0,)))
    assert failures(lines) == {}
    assert len([call for call in fakes.calls(traces) if call.startswith("cell shaky")]) == 3


def test_a_training_that_kills_its_worker_fails_its_cells(ran):
    grid = fakes.grid(PLAIN, training={"patch": "die"}, seeds=(0,))
    assert set(failures(ran(grid)).values()) == {"WorkerDied"}
    assert vars(ran.tally) == {"total": 4, "done": 2, "failed": 2}


def test_a_second_run_has_nothing_to_do_and_changes_no_byte(ran, traces, tmp_path):
    ran(fakes.grid({"bad": "break"}))
    before, called = (tmp_path / "out" / "cells.jsonl").read_bytes(), fakes.calls(traces)
    ran(fakes.grid({"bad": "break"}))
    assert (tmp_path / "out" / "cells.jsonl").read_bytes() == before
    assert fakes.calls(traces) == called


def test_cells_that_failed_are_run_again_when_that_is_asked(ran, traces):
    grid = fakes.grid({"bad": "break"}, seeds=(0,))
    ran(grid)
    lines = ran(grid, retry_failed=True)
    called = fakes.calls(traces)
    assert [called.count(f"cell {label} 0 patch") for label in ("bad", "none")] == [2, 1]
    assert len(lines) == 4


def test_a_grid_that_grows_runs_what_is_new_on_the_networks_that_are_there(ran, traces):
    ran(fakes.grid({"one": "answer"}, seeds=(0,)))
    lines = ran(fakes.grid({"two": "answer", "one": "answer"}, seeds=(0,)))
    called = fakes.calls(traces)
    assert len(called) == len(set(called)) == 2 + 6
    assert [labels(line)[2] for line in lines] == ["none", "two", "one"] * 2


def test_lines_of_another_grid_stay_behind_those_of_this_one(ran):
    other = ran(fakes.grid({"one": "answer"}, seeds=(7,)))
    lines = ran(fakes.grid({"one": "answer"}, seeds=(0,)))
    assert lines[4:] == other
    assert [labels(line)[0] for line in lines[:4]] == [0] * 4
    assert vars(ran.tally) == {"total": 4, "done": 4, "failed": 0}


def test_a_new_label_is_written_and_nothing_is_run_for_it(ran, traces):
    grid = fakes.grid({"one": "answer"}, seeds=(0,))
    ran(grid)
    called = fakes.calls(traces)
    renamed = replace(grid, defenses=(replace(grid.defenses[0], label="first"),))
    lines = ran(renamed)
    assert fakes.calls(traces) == called
    assert [labels(line)[2] for line in lines] == ["none", "first"] * 2


def test_no_task_begins_after_the_budget_and_the_next_run_goes_on(tmp_path, traces, monkeypatch):
    minutes = []  # one for each line
    clock = SimpleNamespace(monotonic=lambda: 60 * len(minutes), perf_counter=time.perf_counter)
    monkeypatch.setattr(running, "time", clock)
    grid = fakes.grid(PLAIN)
    common = (grid, tmp_path, Inline(), fakes.make_net, fakes.measure)
    tally = run(*common, budget_minutes=3, on_line=minutes.append)
    # The first network and its two cells, the second one and one of its.
    assert (len(lines_of(tmp_path)), tally.done, tally.missing) == (3, 3, 5)
    assert len([call for call in fakes.calls(traces) if call.startswith("net")]) == 2
    assert run(*common).missing == 0
    called = fakes.calls(traces)
    assert len(called) == len(set(called)) == 4 + 8


@pytest.mark.parametrize("minutes", [0, -1.0])
def test_a_budget_that_makes_no_sense_is_refused(minutes, tmp_path):
    with pytest.raises(OptionError, match="--budget-minutes"):
        run(fakes.grid({}), tmp_path, Inline(), fakes.make_net, fakes.measure,
            budget_minutes=minutes)  # fmt: skip


def test_what_is_finished_at_ctrl_c_is_in_the_file_and_the_rest_is_not_lost(ran, traces, tmp_path):
    grid = fakes.grid({"one": "sleep"}, seeds=(0, 1))

    def stop(line):
        if len(lines_of(tmp_path / "out")) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        ran(grid, on_line=stop)
    assert caught.value.__notes__ == ["cells that were measured are kept, the same command goes on"]
    stopped = lines_of(tmp_path / "out")
    assert 3 <= len(stopped) < 8
    lines = ran(grid)
    assert len(lines) == 8
    assert all(line in lines for line in stopped)


def test_a_result_that_is_there_when_the_run_is_stopped_is_kept(tmp_path):
    class Stopping(Inline):
        """Two tasks at a time; the run is stopped as the first one is taken in."""

        workers = 2

    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(fakes.grid(PLAIN, seeds=(0,)), tmp_path, Stopping(), fakes.make_net, fakes.measure,
            on_line=stop)  # fmt: skip
    assert lines_of(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_ends_as_one_that_was_not(ran, tmp_path, number):
    killed = fakes.started(tmp_path, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "out" / "cells.jsonl").exists() or len(lines_of(tmp_path / "out")) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(number)
    killed.wait()
    some = lines_of(tmp_path / "out")
    assert 4 <= len(some) < 18
    lines = ran(fakes.killed_grid())
    assert but_cost(lines) == but_cost(ran(fakes.killed_grid(), "whole"))
    assert all(line in lines for line in some)  # cost and all: they were not run again


def test_two_runs_do_not_write_one_folder(tmp_path):
    (tmp_path / "out").mkdir()
    with locked([tmp_path / "out" / "cells.jsonl"]):
        refused = fakes.started(tmp_path, stderr=subprocess.PIPE)
        assert b"error[OutputLocked]" in refused.communicate()[1]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_network_that_the_disk_does_not_take_ends_the_run_and_leaves_nothing(tmp_path):
    class Full(Inline):
        def submit(self, function, *arguments):
            future = super().submit(function, *arguments)
            future.result().value["name" * 100] = b""  # longer than a file system takes
            return future

    with pytest.raises(WriteError, match="the network was not stored"):
        run(fakes.grid({}), tmp_path, Full(), fakes.make_net, fakes.measure)
    assert list((tmp_path / "nets").iterdir()) == []


def test_progress_counts_what_is_left_of_networks_and_cells(tmp_path, ran):
    grid = fakes.grid(PLAIN, seeds=(0,))
    run(fakes.grid({}, seeds=(0,)), tmp_path, Inline(), fakes.make_net, fakes.measure)
    told = {}

    def tracker(items, label, total):
        told[label] = [0, total]
        for item in items:
            yield item
            told[label][0] += 1

    with progress.using(tracker):
        run(grid, tmp_path, Inline(), fakes.make_net, fakes.measure)
    assert told == {"measuring cells": [2, 2], "training networks": [0, 0]}


def test_every_line_is_told_as_it_is_written(tmp_path):
    told = []
    run(fakes.grid({}), tmp_path, Inline(), fakes.make_net, fakes.measure, on_line=told.append)
    assert sorted(line["key"] for line in told) == sorted(
        line["key"] for line in lines_of(tmp_path)
    )
