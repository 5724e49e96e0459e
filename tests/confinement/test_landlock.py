"""The kernel keeps a process from opening what it may not; where it cannot, the process goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from badrepair.confinement import landlock, process

PROGRAM = """
import sys
from badrepair.confinement.landlock import restrict
kept = open(sys.argv[1])
done = restrict([sys.argv[2], "/no/such/folder"])
def tried(path, mode="r"):
    try:
        open(path, mode).close()
    except OSError as error:
        return error.errno
    return 0
print(int(done), kept.read(), tried(sys.argv[1]), tried(sys.argv[2] + "/inside"))
print(tried(sys.argv[2] + "/inside", "w"), tried(sys.argv[2] + "/new", "w"))
"""


def test_what_is_open_stays_open_and_the_rest_is_closed(tmp_path):
    outside, inside = tmp_path / "outside", tmp_path / "folder"
    outside.write_text("kept")
    inside.mkdir()
    (inside / "inside").write_text("x")
    words = [sys.executable, "-c", PROGRAM, str(outside), str(inside)]
    done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=process.ROOT)
    found = done.stdout.split()
    if found[0] == "0":
        pytest.skip("this kernel has no Landlock")
    assert found == ["1", "kept", "13", "0", "13", "13"]
    assert (inside / "inside").read_text() == "x"


def test_another_system_knows_nothing_of_it(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not landlock.restrict([])


def test_a_kernel_that_refuses_is_no_fault(monkeypatch):
    class Kernel:
        @staticmethod
        def syscall(*_):
            return -1

    monkeypatch.setattr(landlock.ctypes, "CDLL", lambda *_, **__: Kernel)
    assert not landlock.restrict(["/"])
