"""Grids of `fakes`, run in processes of this machine."""

from __future__ import annotations

import fakes
import pytest
from driving import lines_of

from badrepair.bench.engines.local import LocalEngine
from badrepair.bench.running import run


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
