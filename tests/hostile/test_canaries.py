"""The canaries sing: each thing that they listen for is done once, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# What a process does, and what is heard.
DEEDS = {
    "open('new', 'w').close()": "wrote ",
    "open('other').close()": "read ",
    "import socket; socket.socket().connect_ex(('127.0.0.1', 9))": "connected socket.connect",
    "import os; os.system('true')": "started os.system",
    "import subprocess; subprocess.run(['true'])": "started true",
    "import marshal; marshal.loads(marshal.dumps(1))": "ran marshalled code",
    "import pickle; pickle.loads(b'cos\\ngetcwd\\n.')": "looked up pickle.find_class",
    "import os; os.mkdir('folder')": "changed os.mkdir",
    "import strange": "imported strange",
    "import importlib; importlib.import_module('strange')": "imported strange",
}
QUIET = (
    "open('model').close()",
    "import decimal",
    "open('/dev/null', 'w').close()",
    "import os; os.fdopen(os.open('model', os.O_RDONLY)).close()",
)


def heard(folder, deed):
    """Return what the canaries say of a line of Python."""
    for name in ("model", "other", "strange.py"):
        (folder / name).write_text("")
    code = (
        "import sys, json; from canaries import Canaries; canaries = Canaries();"
        f" sys.path.insert(0, ''); canaries.reset('model'); canaries.arm()\n"
        f"try:\n    exec({deed!r})\nexcept OSError:\n    pass\n"
        "print(json.dumps(canaries.heard()))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("deed", DEEDS)
def test_what_no_reader_does_is_heard(tmp_path, deed):
    assert any(song.startswith(DEEDS[deed]) for song in heard(tmp_path, deed))


@pytest.mark.parametrize("deed", QUIET)
def test_what_every_reader_does_is_not_heard(tmp_path, deed):
    assert heard(tmp_path, deed) == []
