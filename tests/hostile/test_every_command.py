"""Every command refuses every hostile model file with its code, and leaves nothing behind."""

from __future__ import annotations

from collections import defaultdict

import pytest
from apart import listing, reports_of
from cli.terminal import ERROR
from corpus import HOSTILE, LOADED, make
from timing import Built

pytestmark = pytest.mark.slow

COMMANDS = {"scan", "evaluate", "baseline", "arch", "prune", "weights", "strip", "predict"}
REFUSED = [name for name, (_, code) in HOSTILE.items() if code not in LOADED]
# They take the whole file; of what is wrong with it the others may see nothing.
WHOLE = {"evaluate", "baseline", "prune", "strip", "predict"}


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Return what every command made of every file, by the file's name."""
    folder, hostile = tmp_path_factory.mktemp("typed"), tmp_path_factory.mktemp("hostile")
    paths = make(REFUSED, hostile)
    before = listing(hostile)
    given = [(name, str(path)) for name, path in paths.items()]
    reported = reports_of("type_all.py", folder, given=given)
    assert listing(hostile) == before
    found = defaultdict(list)
    for report in reported:
        found[report["name"]].append(report)
    return found


@pytest.mark.parametrize("name", REFUSED)
def test_every_command_refuses_the_file_in_one_line_and_leaves_nothing(reports, name):
    assert {report["command"] for report in reports[name]} == COMMANDS
    for report in reports[name]:
        assert report["canaries"] == [], report
        assert report["left"] == [], report
        assert "Traceback" not in report["err"]
        if report["command"] in WHOLE:
            assert told(report) == HOSTILE[name][1]


@pytest.mark.parametrize("name", REFUSED)
def test_parts_of_the_file_are_refused_or_harmless(reports, name):
    by_command = {report["command"]: report for report in reports[name]}
    for report in (by_command["arch"], by_command["weights"]):
        assert report["exit"] == 0 or told(report)
    scanned = by_command["scan"]
    assert scanned["exit"] in {0, 1} or told(scanned)
    assert scanned["exit"] or isinstance(HOSTILE[name][1], Built)


def told(report, exits=(65,)):
    """Return the code of the one error that a command ended with."""
    *notes, line = report["err"].splitlines(keepends=True)
    assert (report["exit"] in exits, report["out"]) == (True, ""), report
    assert not any(note.startswith("error") for note in notes)
    return ERROR.fullmatch(line)[1]
