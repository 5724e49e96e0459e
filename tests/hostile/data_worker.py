"""Read every hostile file of data in this process, and say in a line of JSON what came of each.

Run as `python data_worker.py FOLDER [NAME…]`; each file is made in a folder of its own below that.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
import warnings
from importlib import import_module
from pathlib import Path

from data_corpus import HOSTILE_DATA
from data_readers import MODULES, READERS

from badrepair.errors import BadrepairError

FORBIDDEN = {
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn"),
    *("socket.connect", "socket.bind", "pickle.find_class", "urllib.Request"),
}
PARTIAL = "out.csv.part"
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Canary:
    """Notes what no reader of data should do."""

    def __init__(self):
        self.folder, self.seen = None, []

    def __call__(self, event, arguments):
        if self.folder is None:
            return
        if event in FORBIDDEN:
            self.seen.append(event)
        elif event == "subprocess.Popen" and "badrepair.confinement" not in str(arguments[1]):
            self.seen.append(f"started {arguments[1]}"[:200])
        elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            self._note_file(os.fsdecode(arguments[0]), arguments[2])

    def _note_file(self, name, flags):
        if "secret" in name or "passwd" in name:
            self.seen.append(f"opened {name}")
        # A folder: a nameless temporary file. Rows are resumed where they stand.
        allowed = os.path.isdir(name) or name == os.devnull or name.endswith(PARTIAL)
        if flags & WRITING and not allowed:
            self.seen.append(f"wrote {name}")


def tree(folder):
    """Return every file below a folder with its content's size and time."""
    found = sorted(folder.rglob("*"))
    return [(str(path), path.lstat().st_size, path.lstat().st_mtime_ns) for path in found]


def peak_kib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith("Vm")}


def outcome(reader, path):
    """Return what came of reading a file, in words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            READERS[reader](path)
    except BadrepairError as error:
        return {"code": error.code, "exit": error.exit_code, "lines": str(error).count("\n") + 1}
    except Exception as error:  # what the test is about
        return {"code": f"{type(error).__name__}: {error}"[:300], "exit": 70, "lines": 1}
    return {"code": None, "exit": 0, "lines": 1}


def tried(name, folder, canary):
    maker, reader, _ = HOSTILE_DATA[name]
    import_module(MODULES.get(reader, "badrepair.data"))
    folder.mkdir()
    path = maker(folder)
    before = tree(folder)
    Path("/proc/self/clear_refs").write_text("5")
    start, base = time.monotonic(), peak_kib()["VmRSS"]
    canary.folder, canary.seen = folder, []
    found = outcome(reader, path)
    canary.folder = None
    return {
        **found,
        "name": name,
        "canary": canary.seen,
        "unchanged": tree(folder) == before,
        "seconds": time.monotonic() - start,
        "grown_mb": (peak_kib()["VmHWM"] - base) / 1024,
        "child_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }


def main(folder, names):
    # What is imported and found out once is no reader's doing.
    from badrepair import data, plots  # noqa: F401

    tempfile.gettempdir()
    canary = Canary()
    sys.addaudithook(canary)
    for number, name in enumerate(names or HOSTILE_DATA):
        print(json.dumps(tried(name, folder / str(number), canary)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
