"""Type a command and see what comes back: the exit code, stdout and stderr."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from badrepair.cli import main

SCRIPT = Path(sys.executable).with_name("badrepair")
ERROR = re.compile(r"error\[(\w+)\] [^\n]+\n")


@dataclass(frozen=True)
class Outcome:
    """What a command left on the terminal."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        """Return the lines of stdout without the space that fills them up."""
        return [line.strip() for line in self.out.splitlines()]


class Screen(io.StringIO):
    """A stream that says that somebody is watching."""

    def isatty(self):
        return True


def run(*arguments, stdout=None):
    """Run a command in this process, where TensorFlow is loaded already."""
    out, err = io.StringIO() if stdout is None else stdout, io.StringIO()
    typed, code = sys.argv, 0
    sys.argv = ["badrepair", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.argv = typed
    return Outcome(code, "" if stdout is not None else out.getvalue(), err.getvalue())


def done(*arguments):
    """Run a command that must work."""
    outcome = run(*arguments)
    assert outcome.code == 0, outcome.err
    return outcome


def spawn(*arguments, **options):
    """Run the installed script as a process of its own."""
    ended = subprocess.run(
        [SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


def assert_refused(outcome, exit_code, kind, *words):
    """Check that a command ended with one clear line on stderr and nothing else."""
    assert outcome.code == exit_code, outcome.err
    assert outcome.out == ""
    line = ERROR.fullmatch(outcome.err)
    assert line is not None, outcome.err
    assert line[1] == kind
    for word in words:
        assert word in outcome.err


def assert_complaint(outcome, exit_code, kind, *words):
    """Check that the last line on stderr is a clear error, after notes of what was found."""
    assert outcome.code == exit_code, outcome.err
    assert "Traceback" not in outcome.err
    *notes, line = outcome.err.splitlines(keepends=True)
    assert not any(note.startswith("error") for note in notes)
    assert_refused(Outcome(outcome.code, outcome.out, line), exit_code, kind, *words)


def listing(folder):
    """Return every file below a folder with its size and its time of change."""
    found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found]


def plain_environment(**changes):
    """Return the environment without what could colour, widen or silence the output."""
    loud = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", "TF_CPP_MIN_LOG_LEVEL"}
    return {name: text for name, text in os.environ.items() if name not in loud} | changes
