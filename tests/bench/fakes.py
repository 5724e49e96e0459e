"""What workers do in tests of the bench: no network, but all that can happen to one.

Run as a program: runs `killed_grid` into a folder, until it is killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import forks

from badrepair.errors import DataError

# A folder in which every call leaves a file; from the environment, since workers are processes.
TRACES = "FAKES_TRACES"


@dataclass(frozen=True)
class Recipe:
    """What the bench asks of a recipe; the real one needs TensorFlow."""

    architecture: str = "fake"
    data: str = ""
    attack: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    source: str | None = None
    poison_rate: float = 0.0
    seed: int = 0

    def to_json(self):
        return asdict(self)


def grid(defenses, *, seeds=(0, 1), attacks=("patch",), training=None, own=()):
    """Return a grid of two networks a seed, with what each defence and each attack is to do.

    Those whose labels are in `own` are the user's own files.
    """
    # Workers import this module, and need no grid.
    from badrepair.bench.grid import Architecture, Attack, Defense, Grid

    wanted = {**defenses, **(training or {})}

    def method(label, name):
        settings = {"label": label, "do": wanted.get(label, "answer")}
        written = {"method": "mine.py", "source": "text"} if label in own else {"method": name}
        return {"label": label, "settings": settings, "source": None, **written}

    def attack(label):
        return Attack(**method(label, "badnets"), poison_rates=(0.1,))

    def defense(label):
        return Defense(**method(label, "fine-pruning"), kind="repair")

    return Grid(
        name="fakes",
        data=("digits",),
        architectures=(Architecture(label="fake", recipe=Recipe()),),
        attacks=tuple(map(attack, attacks)),
        defenses=tuple(map(defense, defenses)),
        seeds=seeds,
    )


def killed_grid(do="sleep"):
    """Return a grid of 18 cells, of which 12 take a while."""
    return grid({"one": do, "two": do}, seeds=(0, 1, 2))


def ray_grid():
    """Return a grid of 20 cells, of which 16 take a while."""
    return grid(dict.fromkeys(("one", "two", "three", "four"), "doze"), seeds=(0, 1))


def started(folder, do="sleep", **options):
    """Run `killed_grid` into a folder, in a process that is returned."""
    traces = folder / "traces"
    traces.mkdir(exist_ok=True)
    words = [sys.executable, __file__, str(folder / "out"), do]
    environment = {**os.environ, TRACES: str(traces), "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(words, env=environment, **options)


def make_net(recipe, folder):
    """Leave a file that tells the recipe, and one below."""
    _trace("net", recipe["attack"], recipe["seed"])
    _behave(recipe["settings"].get("do", "answer"), folder)
    (folder / "recipe.json").write_text(json.dumps(recipe))
    (folder / "deep").mkdir()
    (folder / "deep" / "weights").write_bytes(bytes([recipe["seed"]]) * 3)


def measure(job, folder):
    """Return results that depend on the job and on the network alone."""
    own = job["defense"]["settings"]
    _trace("cell", own.get("label", "none"), job["seed"], job["cell"]["attack"])
    _behave(own.get("do", "answer"), folder)
    recipe = json.loads((folder / "recipe.json").read_text())
    assert (folder / "deep" / "weights").read_bytes() == bytes([recipe["seed"]]) * 3
    content = [job, recipe, len(_tainted)]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    share = int(digest[:4], 16) / 16**4
    rate = {"value": share, "n": 100, "low": share / 2, "high": (1 + share) / 2}
    return {
        "before": {"accuracy": rate, "attacks": []},
        "after": {"accuracy": rate, "false_rejection_rate": None, "attacks": []},
        "choices": {"level": int(digest[4], 16), "threshold": float("-inf")},
        "fingerprint": digest,
    }


def calls(folder):
    """Return what was called, in alphabetical order, without the processes' numbers."""
    return sorted(path.name.rpartition(" ")[0] for path in Path(folder).iterdir())


def processes(folder):
    """Return the numbers of the processes that were called."""
    return {int(path.name.split(" ")[-1].split("-")[0]) for path in Path(folder).iterdir()}


_begun, _tainted = [], []


def _import(name):
    return __import__(name)


def begin():
    """Note that a process has started."""
    _begun.append(1)


def begun():
    """Return how often `begin` was called here."""
    return len(_begun)


def complain():
    """Raise one of our errors."""
    raise DataError("TooFewImages", "clean.h5", "there are two")


class WordlessError(Exception):
    """An error that cannot say what it is about."""

    def __str__(self):
        raise ZeroDivisionError


class Unimportable:
    """A function that is not to be found where it says it is."""

    def __reduce__(self):
        return _import, ("nowhere",)


def _trace(*words):
    if TRACES in os.environ:
        name = " ".join(map(str, [*words, f"{os.getpid()}-{time.monotonic_ns()}"]))
        Path(os.environ[TRACES], name).touch()


_SECONDS = {"sleep": 0.3, "doze": 1, "hang": 600}
_ERRORS = {
    "complain": lambda at: DataError(
        "TooFewImages", at / "clean.h5", "there are\ntwo", "give more"
    ),
    "break": lambda at: ZeroDivisionError(),
    "exhaust": lambda at: MemoryError(f"cannot hold {at}/weights"),
    "exit": lambda at: SystemExit("enough"),
    "interrupt": lambda at: KeyboardInterrupt(),
    "wordless": lambda at: WordlessError(),
    "address": lambda at: ValueError(f"cannot use {object()} of 0xff"),
}


def _behave(do, folder):
    time.sleep(_SECONDS.get(do, 0))
    if do in _ERRORS:
        raise _ERRORS[do](folder)
    if do == "taint":
        _tainted.append(1)
    if do == "fork and hang":
        forks.forked_and_hanging(Path(os.environ[TRACES]).with_name("child"))
    if do == "die":
        os._exit(9)
    if do == "die once":
        marker = Path(os.environ[TRACES]).with_suffix(".died")
        if not marker.exists():
            marker.touch()
            os._exit(9)


if __name__ == "__main__":
    import fakes  # by its name: workers cannot import the main module

    from badrepair.bench.engines.local import LocalEngine
    from badrepair.bench.running import run

    with LocalEngine(2) as engine:
        run(
            fakes.killed_grid(sys.argv[2]), Path(sys.argv[1]), engine, fakes.make_net, fakes.measure
        )
