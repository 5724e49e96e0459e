"""The driver: every cell is run once, and recorded whatever happens to it or to the run."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import replace
from types import SimpleNamespace

import fakes
import pytest
from driving import PLAIN, Inline, but_cost, labels, lines_of

from badrepair import progress
from badrepair.bench import running
from badrepair.bench.line import Line
from badrepair.bench.running import run
from badrepair.errors import LockedError, OptionError
from badrepair.locking import locked


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
        *(f"net {attack} {seed}" for attack in ("badnets", "none") for seed in (0, 1)),
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


@pytest.mark.parametrize("minutes", [0, -1.0, float("nan")])
@pytest.mark.parametrize("name", ["budget_minutes", "cell_minutes"])
def test_minutes_that_make_no_sense_are_refused(name, minutes, tmp_path):
    with pytest.raises(OptionError, match=f"--{name.replace('_', '-')}"):
        run(fakes.grid({}), tmp_path, Inline(), fakes.make_net, fakes.measure, **{name: minutes})


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


def test_what_is_left_to_the_end_is_done_before_another_run_may_begin(tmp_path):
    def end():
        with pytest.raises(LockedError), locked([tmp_path / "cells.jsonl"]):
            pass
        ends.append([line["key"] for line in lines_of(tmp_path)])

    ends = []
    grid = fakes.grid({})
    common = (grid, tmp_path, Inline(), fakes.make_net, fakes.measure)
    for _ in range(2):
        run(*common, at_end=end)
    assert ends == [[cell.key for cell in grid.cells]] * 2


def test_a_half_line_of_a_run_that_died_is_cut_off_by_the_next_one(tmp_path):
    common = (fakes.grid({}), tmp_path, Inline(), fakes.make_net, fakes.measure)
    run(*common)
    whole = but_cost(lines_of(tmp_path))
    path = tmp_path / "cells.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert run(*common).done == 4
    assert but_cost(lines_of(tmp_path)) == whole
