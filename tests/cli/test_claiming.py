"""Outputs that are claimed are writable, locked, and free of what killed runs left of them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from badrepair import locking
from badrepair.cli.claiming import claimed
from badrepair.errors import LockedError, OptionError, OutputError
from cli.repairs import names


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out.keras"


@pytest.fixture
def dead():
    """Return the number of a process that has ended."""
    command = [sys.executable, "-c", "import os; print(os.getpid())"]
    ended = subprocess.run(command, capture_output=True, check=True)
    return int(ended.stdout)


def refused(kind, code, output, *, overwrite=False, inputs=()):
    """Check that an output cannot be claimed."""
    with (
        pytest.raises(kind, match=code),
        claimed([output], overwrite=overwrite, inputs=inputs),
    ):
        pytest.fail("claimed")


def test_what_killed_runs_left_goes_and_what_others_write_stays(output, dead):
    folder = output.parent
    living = [f".out.keras.tmp-{os.getpid()}-aa.keras", f".other.keras.tmp-{dead}-bb.keras"]
    for name in (*living, f".out.keras.tmp-{dead}-cc.keras"):
        (folder / name).touch()
    with claimed([output], overwrite=False, inputs=[]):
        pass
    assert names(folder) == sorted(living)


def test_nothing_is_touched_where_an_output_is_refused(output, dead):
    output.write_text("mine")
    left = output.with_name(f".out.keras.tmp-{dead}-aa.keras")
    left.touch()
    refused(OutputError, "OutputExists", output)
    refused(OptionError, "OutputIsInput", output, overwrite=True, inputs=[output])
    assert names(output.parent) == [left.name, output.name]


def test_an_output_that_a_run_wrote_just_before_is_kept(output, monkeypatch):
    def locked(paths, really=locking.locked):
        output.write_text("theirs")
        return really(paths)

    monkeypatch.setattr(locking, "locked", locked)
    refused(OutputError, "OutputExists", output)
    assert names(output.parent) == ["out.keras"]


def test_one_claim_a_time(output):
    with claimed([output], overwrite=False, inputs=[]):
        refused(LockedError, "OutputLocked", output, overwrite=True)
        with claimed([output.with_name("other.keras")], overwrite=False, inputs=[]):
            pass
