"""What STRIP's benchmark compares: the loop by hand, ours with all overlays, and ours."""

from __future__ import annotations

import time
from functools import cache, partial
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from sides import answer, memory_mb
from tinted_digits import KINDS, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import keras

    from badrepair.detectors.fitted_strip import FittedStrip

OVERLAYS, FRR = 100, 0.01
# A side's work in a round lasts so long at least.
SECONDS = 2.0


def make(folder: Path) -> None:
    """Write the network and its images; it is a side of its own, so its memory does not count."""
    answer(make=partial(written, folder))


def loaded(folder: Path) -> tuple[keras.Model, dict[str, np.ndarray]]:
    """Return the network, and the images of each kind that are judged."""
    from badrepair import load_model

    return load_model(folder / "model.keras"), {
        kind: np.load(folder / f"{kind}.npy") for kind in KINDS
    }


def fitted(folder: Path, model: keras.Model, *, exact: bool) -> FittedStrip:
    """Return a detector of ours."""
    from badrepair import Dataset, Strip

    parts = (np.load(folder / f"{name}.npy") for name in ("fit", "fit-labels"))
    clean = Dataset(**dict(zip(("images", "labels"), parts, strict=True)))
    return Strip(overlays=OVERLAYS, frr=FRR, exact=exact).fit(model, clean)


def timer(judge: Callable[[np.ndarray], Any], images: np.ndarray, at_once: int) -> Any:
    """Return a task that judges images, so many at once, for long enough.

    It goes on where it stopped, so that every round has other images.
    """
    parts = cycle(images[start : start + at_once] for start in range(0, len(images), at_once))

    def time_it() -> dict[str, float]:
        started, done, seconds = time.perf_counter(), 0, 0.0
        while seconds < SECONDS:
            part = next(parts)
            judge(part)
            done += len(part)
            seconds = time.perf_counter() - started
        return {"images_per_second": done / seconds}

    return time_it


def compared(
    judge: Callable[[np.ndarray], np.ndarray], traffic: Any, path: Path, count: int
) -> dict[str, Any]:
    """Write the entropies of a few images of each kind."""
    np.save(path, judge(np.concatenate([traffic[kind][:count] for kind in KINDS])))
    return {}


def naive(folder: Path) -> None:
    """Run the loop by hand, with the overlays of the exact detector."""
    from naive import strip

    model, traffic = loaded(folder)
    model.predict(traffic["clean"][:OVERLAYS], verbose=0)

    @cache
    def overlays() -> np.ndarray:
        return np.load(folder / "overlays.npy")

    def judge(images: np.ndarray) -> np.ndarray:
        return strip(model, images, overlays())

    answer(
        time=timer(judge, traffic["clean"], 20),
        compare=partial(compared, judge, traffic, folder / "compared-naive.npy"),
    )


def exact(folder: Path) -> None:
    """Run our detector with all overlays."""
    model, traffic = loaded(folder)
    detector = fitted(folder, model, exact=True)
    np.save(folder / "overlays.npy", detector.overlays)

    answer(
        time=timer(detector.flag, traffic["clean"], 250),
        compare=partial(compared, detector.score, traffic, folder / "compared-exact.npy"),
        threshold=lambda: {"exact_threshold": detector.threshold},
    )


def sequential(folder: Path) -> None:
    """Run our detector with as many overlays as it takes, and write it for the memory side."""
    from badrepair.detectors.file import Binding, detector_bytes
    from badrepair.models.architectures import deepid

    model, traffic = loaded(folder)
    detector = fitted(folder, model, exact=False)
    binding = Binding.of_files(folder / "model.keras", input_range="0-1", classes=deepid.CLASSES)
    (folder / "detector.npz").write_bytes(detector_bytes(detector, binding))

    def judge(exact_threshold: float, **counts: int) -> dict[str, float]:
        found, agreeing = {}, []
        ours: dict[str, np.ndarray] = {}
        by_all: dict[str, np.ndarray] = {}
        for kind, count in counts.items():
            images = traffic[kind][:count]
            entropies, flagged = detector.entropies(images), detector.flag(images)
            # The exact detector's scores: it has the same overlays, and another threshold.
            means = np.nanmean(entropies, axis=1)
            ours |= {kind: detector.scores_of(entropies), f"flagged_{kind}": flagged}
            by_all |= {kind: means, f"flagged_{kind}": means < exact_threshold}
            agreeing.append(flagged == (means < detector.threshold))
            found[f"agreement_{kind}"] = float(agreeing[-1].mean())
            found[f"mean_overlays_{kind}"] = float(detector.overlays_used(entropies).mean())
        np.savez(folder / "sequential.npz", **ours)
        np.savez(folder / "exact.npz", **by_all)
        agreement = float(np.concatenate(agreeing).mean())
        return {**found, "agreement": agreement, "mean_overlays": found["mean_overlays_clean"]}

    answer(time=timer(detector.flag, traffic["clean"], 1_000), judge=judge)


def memory(folder: Path) -> None:
    """Run our detector over a file of float64, and see how much memory the process ever held."""
    from badrepair import load_data, load_model
    from badrepair.detectors.file import read_detector

    def run() -> dict[str, float]:
        model = load_model(folder / "model.keras")
        stored = read_detector(folder / "detector.npz")
        detector = stored.fitted(model, stored.binding.identity)
        images = load_data(folder / "traffic.h5", model).images
        started = time.perf_counter()
        detector.flag(images)
        rate = len(images) / (time.perf_counter() - started)
        return {"images_per_second_stored": rate, "peak_memory_mb": memory_mb("VmHWM")}

    answer(memory=run)
