"""The commands refuse hostile files of data with their codes, and leave nothing behind."""

from __future__ import annotations

from collections import defaultdict

import pytest
from apart import reports_of
from data_corpus import HOSTILE_DATA
from test_every_command import told
from type_data import NAMED

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Return what the commands made of every file, by its name."""
    found = defaultdict(list)
    for report in reports_of("type_data.py", tmp_path_factory.mktemp("typed")):
        found[report["name"]].append(report)
    return found


@pytest.mark.parametrize("name", NAMED)
def test_commands_refuse_the_file_in_one_line_and_leave_nothing(reports, name):
    expected = HOSTILE_DATA[name][2]
    assert reports[name]
    for report in reports[name]:
        assert report["canaries"] == [], report
        assert "Traceback" not in report["err"]
        if report["exit"] or expected is not None:
            code = told(report, exits=(65, 66))
            assert code == (expected or code)
            assert report["left"] == [], report
