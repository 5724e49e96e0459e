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

from badrepair.bench.grid import Architecture, Attack, Defense, Grid
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


def grid(defenses, *, seeds=(0, 1), attacks=("patch",), training=None):
    """Return a grid of two networks a seed, with what each defence and each attack is to do."""

    def attack(label):
        settings = {"do": (training or {}).get(label, "answer")}
        return Attack(
            label=label, method="fake", settings=settings, source=None, poison_rates=(0.1,)
        )

    def defense(label, do):
        settings = {"label": label, "do": do}
        return Defense(label=label, method="fake", kind="repair", settings=settings, source=None)

    return Grid(
        name="fakes",
        data=("digits",),
        architectures=(Architecture(label="fake", recipe=Recipe()),),
        attacks=tuple(map(attack, attacks)),
        defenses=tuple(defense(label, do) for label, do in defenses.items()),
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
    digest = hashlib.sha256(json.dumps([job, recipe], sort_keys=True).encode()).hexdigest()
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


_begun = []


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


class Unimportable:
    """A function that is not to be found where it says it is."""

    def __reduce__(self):
        return _import, ("nowhere",)


def _trace(*words):
    if TRACES in os.environ:
        name = " ".join(map(str, [*words, f"{os.getpid()}-{time.monotonic_ns()}"]))
        Path(os.environ[TRACES], name).touch()


def _behave(do, folder):
    match do:
        case "die":
            os._exit(9)
        case "die once":
            marker = Path(os.environ[TRACES]).with_suffix(".died")
            if not marker.exists():
                marker.touch()
                os._exit(9)
        case "complain":
            raise DataError("TooFewImages", folder / "clean.h5", "there are\ntwo", "give more")
        case "break":
            raise ZeroDivisionError
        case "exhaust":
            raise MemoryError(f"cannot hold {folder}/weights")
        case "sleep":
            time.sleep(0.3)
        case "doze":
            time.sleep(1)
        case "hang":
            time.sleep(600)


if __name__ == "__main__":
    import fakes  # by its name: workers cannot import the main module

    from badrepair.bench.engines.local import LocalEngine
    from badrepair.bench.running import run

    with LocalEngine(2) as engine:
        run(
            fakes.killed_grid(sys.argv[2]), Path(sys.argv[1]), engine, fakes.make_net, fakes.measure
        )
