"""How many levels of pruning a second, beside the loop that people write by hand.

    python benchmarks/prune_sweep.py [--quick]

The whole curve of DeepID's conv_3 (60 channels) on 11,547 images of 55x47x3: rank the channels by
their mean activation, then measure the accuracy after each of 60 prunings. Both sides run in
processes of their own, one after the other, round by round; medians count. Where both have
measured a level, the accuracies must be equal. The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sides import Side, alone, answer, machine, memory_mb, serve, started

if TYPE_CHECKING:
    from collections.abc import Mapping

IMAGES, SHAPE, CLASSES = 11_547, (55, 47, 3), 1_283
LAYER, CHANNELS = "conv_3", 60


def main() -> None:
    """Run both sides in turns and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps, within two minutes")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--worker", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        serve(SIDES[options.worker], options.folder)
        return
    rounds = options.rounds or 3
    steps = 4 if options.quick else CHANNELS
    with tempfile.TemporaryDirectory(prefix="prune-sweep-") as folder:
        alone(__file__, "make", Path(folder), images=options.images)
        with started(__file__, ["naive", "ours"], Path(folder)) as sides:
            compare(sides, rounds, steps, options.images)


def compare(sides: Mapping[str, Side], rounds: int, steps: int, images: int) -> None:
    """Let both sides work in turns."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(1, rounds + 1):
        naive = sides["naive"].do("sweep", steps=steps)
        # Ranking counts for the whole curve, of which this may be a part.
        taken["naive"].append(CHANNELS / (naive["ranking"] + CHANNELS * naive["step"]))
        ours = sides["ours"].do("sweep")
        taken["ours"].append(CHANNELS / ours["seconds"])
        if ours["accuracies"][1 : steps + 1] != naive["accuracies"]:
            raise SystemExit("the two sides disagree on the accuracies")
        rates = ", ".join(f"{name} {rate[-1]:.2f}" for name, rate in taken.items())
        print(f"round {number} of {rounds}: {rates} steps a second", flush=True)
    peak = sides["ours"].do("peak")["peak_memory_mb"]
    print(machine())
    print(f"{images:,} images, {CHANNELS} channels of {LAYER}; accuracies equal at {steps} levels")
    naive, ours = (statistics.median(taken[name]) for name in ("naive", "ours"))
    ratio = statistics.median(b / a for a, b in zip(taken["naive"], taken["ours"], strict=True))
    found = {
        "ratio": round(ratio, 2),
        "naive_steps_per_second": round(naive, 4),
        "steps_per_second": round(ours, 3),
        "peak_memory_mb": round(peak, 1),
    }
    print(json.dumps(found))


def make(folder: Path) -> None:
    """Write a DeepID of random weights, noise, and what the network answers to it.

    It is a side of its own, so that its memory does not count.
    """
    import keras
    import numpy as np

    from badrepair.models.architectures import deepid

    def written(images: int) -> dict[str, Any]:
        keras.utils.set_random_seed(0)
        model = deepid.build()
        noise = np.random.default_rng(0).random((images, *SHAPE), np.float32)
        model.save(folder / "model.keras")
        np.save(folder / "images.npy", noise)
        np.save(folder / "labels.npy", model.predict(noise, verbose=0).argmax(axis=1))
        return {}

    answer(make=written)


def naive(folder: Path) -> None:
    """Run the loop by hand."""
    import keras
    import numpy as np
    from naive import prune

    path = folder / "model.keras"
    images, labels = np.load(folder / "images.npy"), np.load(folder / "labels.npy")
    keras.models.load_model(path, compile=False).predict(images[:64], verbose=0)

    def sweep(steps: int) -> dict[str, Any]:
        model = keras.models.load_model(path, compile=False)
        marks = marked(model.get_layer(LAYER))
        marks.append(time.perf_counter())
        accuracies = prune(model, images, labels, LAYER, steps).tolist()
        marks.append(time.perf_counter())
        ranking, *each = (after - before for before, after in itertools.pairwise(marks))
        return {"ranking": ranking, "step": statistics.mean(each), "accuracies": accuracies}

    answer(sweep=sweep)


def marked(layer: Any) -> list[float]:
    """Return a list to which the time is added whenever the layer gets new weights."""
    marks: list[float] = []
    get_weights = layer.get_weights

    def noted() -> list:
        marks.append(time.perf_counter())
        return get_weights()

    layer.get_weights = noted
    return marks


def ours(folder: Path) -> None:
    """Run what `badrepair prune` runs."""
    import keras
    import numpy as np

    from badrepair.models.pruner import ChannelPruner
    from badrepair.models.ranking import idlest_first
    from badrepair.types import Dataset

    model = keras.models.load_model(folder / "model.keras", compile=False)
    loaded = memory_mb("VmRSS")
    images, labels = (np.load(folder / f"{n}.npy", mmap_mode="r") for n in ("images", "labels"))
    dataset = Dataset(images=images, labels=np.asarray(labels))

    def sweep() -> dict[str, Any]:
        started = time.perf_counter()
        pruner = ChannelPruner(model, [LAYER])
        order = idlest_first(pruner, dataset.images)
        accuracies = pruner.sweep(order, dataset).tolist()
        return {"seconds": time.perf_counter() - started, "accuracies": accuracies}

    answer(sweep=sweep, peak=lambda: {"peak_memory_mb": memory_mb("VmHWM") - loaded})


SIDES = {"make": make, "naive": naive, "ours": ours}

if __name__ == "__main__":
    main()
