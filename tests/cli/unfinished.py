"""Stop a run of badrepair in the middle of its tuning, as a user or a power cut would."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from cli.terminal import Outcome

# A fifth of a second instead of five between two states, and Ctrl-C even where the tests' own
# process ignores it.
DRIVER = """
import signal
from badrepair.models.checkpoint import Checkpoint

signal.signal(signal.SIGINT, signal.default_int_handler)
Checkpoint.__init__.__kwdefaults__["seconds"] = 0.2
from badrepair.cli import main

main()
"""
MOST_SECONDS = 120


def checkpoint(output):
    """Return where an unfinished run keeps how far it is."""
    return output.with_name(f"{output.name}.checkpoint")


def kept(folder):
    """Return the names of what a killed run leaves, but for its locks: they lock nobody out."""
    found = (path.name for path in folder.iterdir())
    return sorted(name for name in found if not name.endswith(".lock"))


def interrupted(how, output, *arguments):
    """Send a signal to a run as soon as its first state is on disk.

    Args:
        how: The signal.
        output: The model that would be written from that state.
        *arguments: The command.
    """
    command = [sys.executable, "-c", DRIVER, *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        _await(process, checkpoint(output))
        process.send_signal(how)
        out, err = process.communicate()
    return Outcome(process.returncode, out, err)


def killed(output, *arguments):
    """Kill a run that cannot do anything about it, once its first state is on disk."""
    outcome = interrupted(signal.SIGKILL, output, *arguments, "-o", output)
    assert outcome.code == -signal.SIGKILL
    return outcome


def _await(process, path):
    last = time.monotonic() + MOST_SECONDS
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < last, f"no {path}"
        time.sleep(0.01)
