"""Small disks, and disks that take no files, where mounting is allowed; else tests are skipped."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager

import pytest


@contextmanager
def mounted(folder, size="1m"):
    """Mount an empty disk in memory on a folder, which is made."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        allowed = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def forbid_writing(folder):
    """Let nobody write on a mounted disk any more."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
