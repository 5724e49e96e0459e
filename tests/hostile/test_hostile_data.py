"""Every hostile file of data is refused in one line, in time, in little memory, without a trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from data_corpus import HOSTILE_DATA

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
MOST_MB, MOST_SECONDS = 600, 5.0


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Return what came of every file, by name; one process reads them all."""
    paths = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    folder = tmp_path_factory.mktemp("hostile")
    ended = subprocess.run(
        [sys.executable, HERE / "data_worker.py", folder],
        env={**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, f"after {len(found)} files: {ended.stderr[-2000:]}"
    assert not (folder / "unpickled").exists()
    return {one["name"]: one for one in found}


def test_there_are_enough_of_them():
    assert len(HOSTILE_DATA) >= 120


@pytest.mark.parametrize("name", HOSTILE_DATA)
def test_a_hostile_file_of_data_does_no_harm(outcomes, name):
    expected, found = HOSTILE_DATA[name][2], outcomes[name]
    if expected is not None:
        assert found["code"] == expected
    assert found["exit"] in ({0, 65} if expected is None else {65, 66})
    assert found["lines"] == 1
    assert found["canary"] == []
    assert found["unchanged"] or HOSTILE_DATA[name][1] == "partial"
    assert found["grown_mb"] < MOST_MB
    # A child begins as a copy of its parent, which is large once Keras is there.
    assert found["child_mb"] < MOST_MB or not name.startswith("h5-")
    assert found["seconds"] < MOST_SECONDS
