"""The Ray engine, on a cluster that loses a node: no cell is lost, none is there twice."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import fakes
import pytest

from badrepair.bench.engines.local import LocalEngine
from badrepair.bench.engines.ray import RayEngine
from badrepair.bench.running import run
from badrepair.errors import OptionError, ResourceError

SECONDS = 90
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray")


def lines_of(folder):
    lines = [json.loads(text) for text in (folder / "cells.jsonl").read_text().splitlines()]
    return [{name: part for name, part in line.items() if name != "cost"} for line in lines]


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory):
    """Return what a run on a cluster told, and its folder."""
    folder = tmp_path_factory.mktemp("ray")
    traces = folder / "traces"
    traces.mkdir()
    program = [sys.executable, str(Path(__file__).with_name("ray_cluster.py")), str(folder / "out")]
    environment = {
        **os.environ,
        fakes.TRACES: str(traces),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    process = subprocess.Popen(
        program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        told, noise = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        # Ctrl-C lets it shut the cluster down.
        process.send_signal(2)
        pytest.fail(process.communicate(timeout=30)[1])
    assert process.returncode == 0, noise
    return json.loads(told.splitlines()[-1]), folder


@needs_ray
@pytest.mark.slow
def test_a_cluster_that_loses_a_node_loses_no_cell_and_has_none_twice(on_ray):
    told, folder = on_ray
    keys = [line["key"] for line in lines_of(folder / "out")]
    assert keys == [cell.key for cell in fakes.ray_grid().cells]
    assert sorted(told["told"]) == sorted(keys)
    assert told["tally"] == {"total": 20, "done": 20, "failed": 0}


@needs_ray
@pytest.mark.slow
def test_the_node_was_there_and_was_lost_while_it_worked(on_ray):
    told, folder = on_ray
    assert told["workers"] == [2, 1]
    # Its task was begun twice.
    called = fakes.calls(folder / "traces")
    assert len(called) > len(set(called))


@needs_ray
@pytest.mark.slow
def test_the_lines_are_those_of_the_local_engine_but_for_the_cost(on_ray, tmp_path):
    _, folder = on_ray
    with LocalEngine(2) as engine:
        run(fakes.ray_grid(), tmp_path, engine, fakes.make_net, fakes.measure)
    assert lines_of(tmp_path) == lines_of(folder / "out")


@needs_ray
@pytest.mark.slow
def test_a_worker_has_one_thread_and_is_started_once(on_ray):
    told, _ = on_ray
    assert (told["started"], told["threads"]) == (1, "1")


@needs_ray
@pytest.mark.slow
def test_what_a_task_raises_is_what_it_was_and_one_that_takes_too_long_is_ended(on_ray):
    complaint, slow = on_ray[0]["raised"]
    assert complaint == "error[TooFewImages] clean.h5: there are two"
    assert slow.startswith("it took longer than 0.05 minutes")


@needs_ray
@pytest.mark.slow
def test_a_task_can_have_a_process_of_its_own(on_ray):
    assert on_ray[0]["processes"] == 3


def test_without_ray_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OptionError, match=r"pip install 'badrepair\[ray\]'") as caught:
        RayEngine()
    assert caught.value.code == "ExtraMissing"


@needs_ray
@pytest.mark.filterwarnings("ignore")  # of Ray's import
@pytest.mark.parametrize("address", ["127.0.0.1:1", "cluster.invalid:6379"])
def test_a_cluster_that_is_not_there_is_told_at_once(address):
    with pytest.raises(ResourceError, match="expected a Ray cluster, found none") as caught:
        RayEngine(address)
    assert (caught.value.code, caught.value.where) == ("ClusterMissing", address)


@needs_ray
@pytest.mark.filterwarnings("ignore")  # of Ray's import
@pytest.mark.parametrize(
    "address", ["localhost", "localhost:", ":6379", "h:port", "h:99999", "h:²"]
)
def test_an_address_that_is_none_is_told_with_what_one_looks_like(address):
    with pytest.raises(OptionError, match=f"--address: expected HOST:PORT, .* found {address}"):
        RayEngine(address)
