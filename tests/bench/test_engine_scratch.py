"""The folder for temporary files: what a killed run left is removed, what is in use stays."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from badrepair.bench.engines.scratch import scratch


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_there_for_the_block_only(temporary):
    with scratch() as folder:
        (folder / "deep").mkdir()
        assert list(temporary.iterdir()) == [folder]
    assert list(temporary.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next_one(temporary):
    program = (
        "import os; from badrepair.bench.engines.scratch import scratch; made = scratch();"
        " (made.__enter__() / 'file').touch(); os.kill(os.getpid(), 9)"
    )
    subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(temporary)}, check=False
    )
    left = list(temporary.iterdir())
    assert [(one / "file").exists() for one in left] == [True]
    with scratch() as folder:
        assert list(temporary.iterdir()) == [folder] != left


def test_the_folder_of_another_run_and_files_of_others_stay(temporary):
    (temporary / "badrepair-bench-file").touch()
    (temporary / "badrepair-bench-link").symlink_to(temporary / "elsewhere")
    (temporary / "elsewhere").mkdir()
    with scratch() as first, scratch() as second:
        assert first.is_dir()
        assert second.is_dir()
    names = {path.name for path in temporary.iterdir()}
    assert names == {"badrepair-bench-file", "badrepair-bench-link", "elsewhere"}
