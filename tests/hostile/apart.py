"""Run a script beside this file in a process of its own, and return what it printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SECONDS_FOR_ALL = 1_200


def reports_of(script, *arguments, given=()):
    """Return what a script says in lines of JSON.

    Args:
        script: Its name.
        arguments: What is typed behind it.
        given: What it reads from stdin as JSON.
    """
    done = subprocess.run(
        [sys.executable, HERE / script, *arguments],
        input=json.dumps(given),
        env={**os.environ, "PYTHONPATH": ":".join(map(str, (HERE, HERE.parent, HERE.parents[1])))},
        capture_output=True,
        check=False,
        text=True,
        timeout=SECONDS_FOR_ALL,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def listing(folder):
    return sorted((str(path), path.lstat().st_size) for path in folder.rglob("*"))
