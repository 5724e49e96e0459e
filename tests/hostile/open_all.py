"""Load and scan model files with canaries all around, and tell what came of each.

    python open_all.py < files.json

The input is a list of (name, path); on stdout there is one line of JSON for each.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import keras
from canaries import Canaries
from honest import HONEST

from badrepair import scanning
from badrepair.confinement import process
from badrepair.errors import BadrepairError
from badrepair.models.load import load_model
from badrepair.tables import scan_tables

# A canary that sings in the confined process ends it with this status, which is told as a crash.
ALARM = 99
# It listens once the reader is imported, which is when the limits come.
WATCHED = (
    f"import sys, os; sys.path[:0] = [sys.argv[1], {os.path.dirname(__file__)!r}];"
    " from badrepair.confinement import child; from canaries import Canaries;"
    f" limit, canaries = child._limit, Canaries(lambda song: os._exit({ALARM}));"
    " child._limit = lambda: (limit(), canaries.arm()); "
)
KIB = 1024


class Peak:
    """The most memory that a confined process took, in MB; it is asked before its end."""

    def __init__(self):
        self.megabytes, self._end = 0, process._end

    def __call__(self, child, descriptor):
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
            kibibytes = [line.split()[1] for line in status.splitlines() if "VmHWM" in line]
            self.megabytes = max(self.megabytes, *(int(one) // KIB for one in kibibytes), 0)
        except OSError:
            pass
        self._end(child, descriptor)


def main():
    files = json.load(sys.stdin)
    process.START = WATCHED + process.START
    process._end = peak = Peak()
    for _, path in files[: len(HONEST)]:  # so that all is imported that loading needs
        load_model(Path(path))
    canaries = Canaries()
    canaries.programs = (process.START,)
    canaries.arm(packages_distributions())
    for name, path in files:
        canaries.reset(path)
        peak.megabytes = 0
        print(json.dumps({"name": name, **report(Path(path), canaries, peak)}), flush=True)


def report(path, canaries, peak):
    """Return what loading and scanning a file brought about."""
    memory, start = _memory(), _seconds()
    code, line = _outcome(lambda: load_model(path))
    middle = _seconds()
    found, scan_line = _outcome(lambda: _found(path))
    if keras.config.floatx() != "float32":
        canaries.events.append("changed keras.config")
    return {
        "code": code,
        "line": line,
        "found": found,
        "scan_line": scan_line,
        "canaries": canaries.heard(),
        "grown": _memory() - memory,
        "child": peak.megabytes,
        "seconds": [middle - start, _seconds() - middle],
    }


def _outcome(act):
    """Return the code and the message of an error, or what was returned and nothing."""
    try:
        result = act()
    except BadrepairError as error:
        return error.code, str(error)
    except BaseException as error:  # every other kind is a fault of badrepair
        return f"untyped {type(error).__name__}", str(error)
    return (result if isinstance(result, list) else ""), ""


def _found(path):
    scan = scanning.scan(path)
    for table in scan_tables(scan):
        for row in table.rows:
            bad = [cell for cell in row[1:] if not str(cell).isprintable()]
            if bad:
                return [f"unprintable {bad}"]
    return [finding.code for finding in scan.findings]


def _memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KIB


def _seconds():
    """Return the computing time of this process and its children: neighbours do not count."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
