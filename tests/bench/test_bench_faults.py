"""What goes wrong in a grid: it is recorded, and the rest goes on."""

from __future__ import annotations

import fakes
import pytest
from driving import PLAIN, Inline, but_cost, failures, labels, lines_of

from badrepair.bench.attempt import measure_cell
from badrepair.bench.engines.local import LocalEngine
from badrepair.bench.line import Line
from badrepair.bench.running import run
from badrepair.errors import WriteError


def test_a_cell_that_fails_is_recorded_in_one_line_and_the_others_go_on(ran):
    wrong = {"bad": "complain", "odd": "break", "big": "exhaust", "end": "exit"}
    wrong |= {"stop": "interrupt", "mute": "wordless", "place": "address", "good": "answer"}
    lines = ran(fakes.grid(wrong, seeds=(0,)), workers=1)
    assert {labels(line)[2]: line["error"] for line in lines if line["error"]} == {
        "bad": {"code": "TooFewImages", "message": "clean.h5: there are two; hint: give more"},
        "odd": {"code": "ZeroDivisionError", "message": "no reason given"},
        "big": {"code": "MemoryError", "message": "cannot hold weights"},
        "end": {"code": "SystemExit", "message": "sys.exit() was called in it: enough"},
        "stop": {"code": "KeyboardInterrupt", "message": "KeyboardInterrupt was raised in it"},
        "mute": {
            "code": "WordlessError",
            "message": "its words cannot be read: they raise an error as well",
        },
        "place": {
            "code": "ValueError",
            "message": "cannot use <object object at 0x...> of 0xff",
        },
    }
    assert vars(ran.tally) == {"total": 18, "done": 4, "failed": 14}
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


def test_what_is_finished_at_ctrl_c_is_in_the_file_and_the_rest_is_not_lost(ran, traces, tmp_path):
    grid = fakes.grid({"one": "sleep"}, seeds=(0, 1))

    def stop(line):
        if len(lines_of(tmp_path / "out")) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        ran(grid, on_line=stop)
    assert caught.value.__notes__ == [
        "cells measured before it are kept, and the same command goes on"
    ]
    stopped = lines_of(tmp_path / "out")
    assert 3 <= len(stopped) < 8
    lines = ran(grid)
    assert len(lines) == 8
    assert all(line in lines for line in stopped)


def test_all_results_that_are_there_when_the_run_is_stopped_are_kept(tmp_path):
    class Stopping(Inline):
        """Three tasks at a time; the run is stopped as the first one is taken in."""

        workers = 3

    def stop(line):
        told.append(line)
        raise KeyboardInterrupt

    told = []
    grid = fakes.grid({"one": "answer", "two": "answer"}, seeds=(0,))
    with pytest.raises(KeyboardInterrupt) as caught:
        run(grid, tmp_path, Stopping(), fakes.make_net, fakes.measure, on_line=stop)
    assert len(lines_of(tmp_path)) == 3
    assert len(told) == len(caught.value.__notes__) == 1


def test_a_network_that_the_disk_does_not_take_ends_the_run_and_leaves_nothing(tmp_path):
    class Full(Inline):
        def submit(self, function, *arguments, **options):
            future = super().submit(function, *arguments)
            future.result().value["name" * 100] = b""  # longer than a file system takes
            return future

    with pytest.raises(WriteError, match="the network was not stored"):
        run(fakes.grid({}), tmp_path, Full(), fakes.make_net, fakes.measure)
    assert list((tmp_path / "nets").iterdir()) == []


def test_a_method_of_somebody_else_leaves_nothing_behind_for_other_cells(ran):
    defenses = {"mine": "taint", "ours": "answer"}
    alone = ran(fakes.grid({"ours": "answer"}, seeds=(0,)), "without", workers=1)
    lines = ran(fakes.grid(defenses, seeds=(0,), own={"mine"}), workers=1)
    beside = [line for line in lines if labels(line)[2] != "mine"]
    assert but_cost(beside) == but_cost(alone)
    shared = ran(fakes.grid(defenses, seeds=(0,)), "shared", workers=1)
    assert but_cost(shared[-1:]) != but_cost(alone[-1:])  # the fake can tell


def test_an_attack_of_somebody_else_leaves_nothing_behind_for_other_cells(ran):
    def later(name, **options):
        """Return what the control of the second seed came to."""
        lines = ran(fakes.grid({}, **options), name, workers=1)
        return [line["fingerprint"] for line in lines if labels(line)[:2] == (1, "none")]

    untouched = later("untouched")
    assert later("own", training={"patch": "taint"}, own={"patch"}) == untouched
    assert later("shared", training={"patch": "taint"}) != untouched  # the fake can tell


def test_a_method_that_hangs_fails_its_cell_once_and_the_others_go_on(ran, traces):
    grid = fakes.grid({"bad": "hang", "good": "answer"}, seeds=(0,))
    lines = ran(grid, cell_minutes=0.05)
    assert failures(lines) == {(0, "none", "bad"): "TimedOut", (0, "patch", "bad"): "TimedOut"}
    assert lines[1]["error"]["message"].startswith("it took longer than 0.05 minutes")
    assert 3 <= lines[1]["cost"]["seconds"] < 10
    assert fakes.calls(traces).count("cell bad 0 patch") == 1


def test_workers_that_cannot_be_started_fail_the_cells(tmp_path):
    with LocalEngine(1, start=fakes.complain) as engine:
        run(fakes.grid({}, seeds=(0,)), tmp_path, engine, fakes.make_net, fakes.measure)
    assert set(failures(lines_of(tmp_path)).values()) == {"TooFewImages"}


def test_a_network_that_a_worker_cannot_unpack_fails_the_cell():
    found = measure_cell(fakes.measure, {}, {"name" * 100: b""})
    assert (found.code, found.value) == ("OSError", None)
    assert "File name too long" in found.message
