"""Open files with Keras's own `load_model` and with badrepair, and say what came of it in words.

    python side_by_side.py < files.json

The input is a list of paths; on stdout there is one line of JSON for each: what Keras did, and what
badrepair did. Each opening has a process of its own, in the folder of the file, with canaries.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from functools import partial
from importlib.metadata import packages_distributions
from pathlib import Path

import h5py
import keras
import numpy as np
from canaries import Canaries
from stored import SECRET_NUMBER, secret

from badrepair.confinement import process
from badrepair.errors import BadrepairError
from badrepair.models.load import load_model

MOST_BYTES, MOST_SECONDS = 4 * 2**30, 45
KIB, LARGE_MEGABYTES = 1024, 500
# What a canary sings, by its first word, and what that is called in the table.
WORDS = {
    "ran": "ran code of the file",
    "started": "started a program",
    "imported": "imported a module beside the file",
    "wrote": "wrote a file",
    "changed": "wrote a file",
    "read": "read another file",
    "connected": "asked the network",
}


def main():
    installed = packages_distributions()
    for path in json.load(sys.stdin):
        loaders = {"keras": keras.saving.load_model, "badrepair": load_model}
        told = {
            name: apart(partial(opened, Path(path), load, installed))
            for name, load in loaders.items()
        }
        print(json.dumps(told), flush=True)


def apart(act):
    """Do something in a process of its own, and return in words what it did."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(2, 1)  # Keras talks on stdout when it downloads
        os.write(writing, json.dumps(act()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        text = stream.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        ended = f"did not end in {MOST_SECONDS} s"
        return ended if os.WTERMSIG(status) == signal.SIGALRM else "crashed"
    return in_words(*json.loads(text))


def opened(path, load, installed):
    """Return what the canaries sang, how it ended, and by how many MB it grew."""
    before = _status("VmRSS") // KIB
    surround(path.parent)
    resource.setrlimit(resource.RLIMIT_AS, (_size() + MOST_BYTES,) * 2)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(MOST_SECONDS)
    canaries = Canaries(block=True)
    canaries.programs = (process.START,)
    canaries.reset(path)
    canaries.arm(set(installed) - {"keras_cv"})
    try:
        model = load(path)
        end = "loaded it"
        if any(np.any(array == SECRET_NUMBER) for array in model.get_weights()):
            canaries.events.append("read the secret into a weight")
    except BadrepairError as error:
        end = f"refused: `{error.code}`"
    except BaseException:
        end = "refused"
    if keras.config.floatx() != "float32":
        canaries.events.append("set keras.config")
    return canaries.heard(), end, _grown(before)


def in_words(events, end, grown):
    found = [WORDS.get(event.split()[0], "changed a setting of Keras") for event in events]
    if grown > LARGE_MEGABYTES:
        found.append(f"took {grown / 1000:.0f} GB")
    words = list(dict.fromkeys(found))
    if WORDS["wrote"] in words and WORDS["read"] in words:
        words.remove(WORDS["read"])  # what it wrote itself
    if end != "refused" or not words:
        words.append(end)
    return ", ".join(words)


def surround(folder):
    """Put beside a file what it must not touch, as a repository of models could."""
    os.chdir(folder)
    sys.path.insert(0, "")
    os.environ["KERAS_HOME"] = os.environ["TMPDIR"] = str(folder)
    secret(folder)
    Path("keras_cv").mkdir(exist_ok=True)
    Path("keras_cv/evil.py").write_text("")
    tell = h5py.File.__init__

    def opening(self, name, *rest, **more):
        if isinstance(name, str | os.PathLike):
            sys.audit("h5py.File", name, "r", 0)
        tell(self, name, *rest, **more)

    h5py.File.__init__ = opening


def _status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def _grown(before):
    """Return by how many MB this process has grown, or what its children took."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return max(used[0].ru_maxrss // KIB - before, used[1].ru_maxrss // KIB)


def _size():
    return _status("VmSize") * KIB


if __name__ == "__main__":
    main()
