"""What it costs that a model file is hostile: loading through the gate, beside Keras's loader.

    python benchmarks/gate.py [--rounds N]

Two files: a DeepID in an .h5 (about 2.4 MB) and a ResNet50 of random weights in a .keras (about
100 MB). `badrepair.load_model` and `keras.saving.load_model(compile=False)` run in processes of
their own, in turns, round by round; medians count. Of ours, the confined part is also timed alone:
starting the process, looking through the file and handing over every array. `badrepair scan` is
timed as a user types it, from the start of the command to its end. The last line printed is one
JSON object; times are in seconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sides import Side, alone, answer, machine, serve, started

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FILES = {"deepid": "deepid.h5", "resnet50": "resnet50.keras"}
ROUNDS = 7


def main() -> None:
    """Run both sides in turns and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--worker", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        serve(SIDES[options.worker], options.folder)
        return
    with tempfile.TemporaryDirectory(prefix="gate-") as name:
        folder = Path(name)
        alone(__file__, "make", folder)
        with started(__file__, ["keras", "ours"], folder) as sides:
            found = {model: compare(model, sides, folder, options.rounds) for model in FILES}
        sizes = {model: (folder / file).stat().st_size / 1e6 for model, file in FILES.items()}
    print(machine())
    report(found, sizes)


def compare(
    model: str, sides: Mapping[str, Side], folder: Path, rounds: int
) -> dict[str, list[float]]:
    """Let both sides load a file in turns; the first round, in which all is cold, is left out."""
    taken: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        times = {
            "keras": sides["keras"].do("load", model=model)["seconds"],
            "badrepair": sides["ours"].do("load", model=model)["seconds"],
            "confined": sides["ours"].do("confine", model=model)["seconds"],
            "scan": timed(lambda: scan(folder / FILES[model])),
        }
        if number:
            for name, seconds in times.items():
                taken.setdefault(name, []).append(seconds)
            told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in times.items())
            print(f"{model}, round {number} of {rounds}: {told} s", flush=True)
    return taken


def report(found: Mapping[str, Mapping[str, list[float]]], sizes: Mapping[str, float]) -> None:
    """Print medians, and as the last line all of them in one object."""
    line: dict[str, float] = {}
    for model, taken in found.items():
        medians = {name: statistics.median(times) for name, times in taken.items()}
        pairs = zip(taken["badrepair"], taken["keras"], strict=True)
        added = statistics.median(ours - theirs for ours, theirs in pairs)
        percent = 100 * added / medians["keras"]
        print(f"{model} ({sizes[model]:.1f} MB): the gate adds {added:.3f} s ({percent:+.0f} %)")
        line |= {f"{model}_mb": sizes[model], f"{model}_added_percent": percent}
        line |= {f"{model}_{name}": seconds for name, seconds in medians.items()}
        line[f"{model}_added"] = added
    print(json.dumps({name: round(value, 3) for name, value in line.items()}))


def timed(action: Callable[[], Any]) -> float:
    """Return how many seconds something takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def scan(path: Path) -> None:
    """Run the command; it must find nothing."""
    command = [sys.executable, "-m", "badrepair", "scan", str(path), "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def make(folder: Path) -> None:
    """Write both files; it is a side of its own, so that the others start alike."""
    import keras

    from badrepair.models.architectures import deepid

    def written() -> dict[str, Any]:
        keras.utils.set_random_seed(0)
        deepid.build().save(folder / FILES["deepid"])
        keras.applications.ResNet50(weights=None).save(folder / FILES["resnet50"])
        return {}

    answer(make=written)


def theirs(folder: Path) -> None:
    """Load with Keras."""
    import keras

    def load(model: str) -> dict[str, float]:
        path = folder / FILES[model]
        seconds = timed(lambda: keras.saving.load_model(path, compile=False))
        keras.backend.clear_session()
        return {"seconds": seconds}

    answer(load=load)


def ours(folder: Path) -> None:
    """Load with badrepair, and run the confined part alone."""
    import keras

    from badrepair import load_model
    from badrepair.models.gate.opened import Opened

    def load(model: str) -> dict[str, float]:
        seconds = timed(lambda: load_model(folder / FILES[model]))
        keras.backend.clear_session()
        return {"seconds": seconds}

    def read(path: Path) -> None:
        with Opened(path) as opened:
            for group in opened.groups:
                for index in range(len(group.shapes)):
                    opened.array(group.first + index)

    answer(load=load, confine=lambda model: {"seconds": timed(lambda: read(folder / FILES[model]))})


SIDES = {"make": make, "keras": theirs, "ours": ours}

if __name__ == "__main__":
    main()
