"""How many images a second STRIP judges, beside the loop that people write by hand.

    python benchmarks/strip_throughput.py [--quick]

DeepID (55x47x3, 1,283 classes) with a backdoor, trained here on real images: scikit-learn's digits,
enlarged to 55x47 in 8 tints; digit and tint together are 80 classes. A patch of stripes, 8x8, is
on 10 % of the 7,200 training images and leads to class 0. Of the other 7,176 images 1,500 fit
STRIP (100 overlays, 1 % false rejections), and the others are its traffic, clean or stamped.

- naive: one `model.predict` an image, on its mixes with all overlays; see naive.py.
- exact: `Strip(exact=True)`: all overlays, the same entropies.
- sequential: `Strip()`: as many overlays as the decision needs.
- art: STRIP of adversarial-robustness-toolbox, where that is installed beside badrepair
  (`pip install --no-deps --target DIR adversarial-robustness-toolbox tqdm six`, PYTHONPATH=DIR).
  Read in release 1.20.1: it takes the entropy along the samples instead of the classes, so that
  it says how evenly a class is spread over the mixes; it draws overlays anew for every image,
  unseeded and with repetition, from the very images that its threshold is fitted on, the image
  itself among them; the threshold is a quantile of a normal fit; and where it abstains it answers
  zeros, of which argmax makes class 0. Its own answers with their entropy along the classes, and
  a threshold in its manner, are shown beside it.

Every side runs in a process of its own and waits for its turn; the sides take turns round by
round, and the medians of the rounds' ratios count. One more process runs the sequential detector
over a float64 HDF5 file, for its peak memory. The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sides import Side, alone, answer, machine, memory_mb, serve, started

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import keras

    from badrepair.attacks.badnets import Badnets
    from badrepair.detectors.fitted_strip import FittedStrip
    from badrepair.types import Dataset

HEIGHT, WIDTH = 55, 47
TINTS = [[r, g, b] for r in (0.3, 1) for g in (0.3, 1) for b in (0.3, 1)]
TRAINING_DIGITS, FIT = 900, 1_500
PATCH, ROW, COLUMN = 8, 45, 37
TARGET, POISON_RATE = 0, 0.1
OVERLAYS, FRR = 100, 0.01
KINDS = ("clean", "poisoned")
TRAFFIC = {"clean": 3_500, "poisoned": 2_000}
# A side's work in a round lasts so long at least.
SECONDS = 2.0
ROWS_AT_ONCE = 500
# More bits than there are.
PASSES = 1e9
METHODS = {
    "exact": "badrepair, exact",
    "sequential": "badrepair",
    "art": "toolbox",
    "art_along_classes": "toolbox's answers, entropy along the classes",
}


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """How much is measured.

    Args:
        rounds: Turns of each side.
        epochs: Passes of the training.
        clean: Clean images whose decisions and overlays are looked at.
        poisoned: Stamped images likewise.
        compared: Images of each kind whose entropies by hand and exactly are compared.
        stored: Images in the HDF5 file.
        art: Images of each kind that the toolbox judges; 0 leaves it out.
    """

    rounds: int
    epochs: int
    clean: int
    poisoned: int
    compared: int
    stored: int
    art: int


FULL = Amounts(rounds=7, epochs=6, **TRAFFIC, compared=100, stored=11_547, art=1_000)
QUICK = Amounts(rounds=2, epochs=4, clean=600, poisoned=200, compared=15, stored=1_500, art=0)


def main() -> None:
    """Run the sides in turns and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer images, within two minutes")
    parser.add_argument("--worker", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        serve(SIDES[options.worker], options.folder)
        return
    with tempfile.TemporaryDirectory(prefix="strip-throughput-") as folder:
        compare(Path(folder), QUICK if options.quick else FULL)


def compare(folder: Path, amounts: Amounts) -> None:
    """Make the network and the images, let the sides work on them, and print what they did."""
    made = alone(__file__, "make", folder, epochs=amounts.epochs, stored=amounts.stored)
    print("the network: " + ", ".join(f"{k} {v:.2%}" for k, v in made.items()), flush=True)
    names = ["exact", "naive", "sequential"]
    if amounts.art and find_spec("art"):
        names.append("art")
    with started(__file__, names, folder) as sides:
        taken = rounds(sides, amounts.rounds)
        found = entropy_difference(folder, sides, amounts.compared)
        counts = {kind: getattr(amounts, kind) for kind in KINDS}
        found |= sides["sequential"].do("judge", **sides["exact"].do("threshold"), **counts)
        if "art" in sides:
            found |= sides["art"].do("judge", images=amounts.art)
    found |= alone(__file__, "memory", folder)
    print(machine())
    found |= speeds(taken)
    found |= detection(folder, found)
    if "art" not in taken:
        print("\nadversarial-robustness-toolbox was left out: --quick, or it is not installed")
    print_staging(found, amounts)
    print(json.dumps({name: float(f"{value:.5g}") for name, value in found.items()}))


def rounds(sides: Mapping[str, Side], count: int) -> dict[str, list[float]]:
    """Return how many images a second each side judged, round by round."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(1, count + 1):
        for name, side in sides.items():
            taken[name].append(side.do("time")["images_per_second"])
        rates = ", ".join(f"{name} {rate[-1]:.1f}" for name, rate in taken.items())
        print(f"round {number} of {count}: {rates} images a second", flush=True)
    return taken


def entropy_difference(folder: Path, sides: Mapping[str, Side], count: int) -> dict[str, float]:
    """Return by how many bits the loop by hand and the exact detector differ at most."""
    for name in ("naive", "exact"):
        sides[name].do("compare", count=count)
    naive, exact = (np.load(folder / f"compared-{name}.npy") for name in ("naive", "exact"))
    return {"max_entropy_difference": float(np.abs(naive - exact).max())}


def speeds(taken: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Print and return how quick the sides are."""
    found, rows = {}, []
    for name, rates in taken.items():
        ratios = [ours / naive for ours, naive in zip(rates, taken["naive"], strict=True)]
        found[f"images_per_second_{name}"] = statistics.median(rates)
        found[f"ratio_{name}"] = statistics.median(ratios)
        rate, ratio = found[f"images_per_second_{name}"], found[f"ratio_{name}"]
        span = f"{ratio:.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
        rows.append((name, f"{rate:.1f}", f"{1000 / rate:.2f}", span))
    del found["ratio_naive"]
    print_table(("clean images", "images a second", "ms an image", "ratio, median"), rows)
    return found


def detection(folder: Path, found: Mapping[str, float]) -> dict[str, float]:
    """Print and return how well each method tells stamped images from clean ones."""
    from badrepair import metrics

    summary, rows = {}, []
    for name, title in METHODS.items():
        if not (folder / f"{name}.npz").exists():
            continue
        with np.load(folder / f"{name}.npz") as judged:
            scores = [judged[kind] for kind in KINDS]
            rejected, caught = (metrics.rate(judged[f"flagged_{kind}"]) for kind in KINDS)
        # A score that is no number is below no threshold, so it passes.
        area = metrics.auroc(*(np.nan_to_num(score, nan=PASSES) for score in scores))
        means = [float(np.nanmean(score)) for score in scores]
        summary |= {f"frr_{name}": rejected.value, f"far_{name}": 1 - caught.value}
        summary |= {f"auroc_{name}": area.value}
        summary |= {f"bits_{kind}_{name}": mean for kind, mean in zip(KINDS, means, strict=True)}
        rate = found[f"images_per_second_{name.split('_')[0]}"]
        rows.append(
            (
                title,
                f"{1000 / rate:.2f}",
                f"{rejected.value:.2%} ({rejected.low:.2%} to {rejected.high:.2%})",
                f"{1 - caught.value:.2%} ({1 - caught.high:.2%} to {1 - caught.low:.2%})",
                f"{area.value:.4f} ({area.low:.4f} to {area.high:.4f})",
                *(f"{mean:.3f}" for mean in means),
                f"{rejected.n:,}, {caught.n:,}",
            )
        )
    print_table(
        ("STRIP", "ms an image", "FRR", "FAR", "AUROC", "bits, clean", "bits, poisoned", "images"),
        rows,
    )
    return summary


def print_staging(found: Mapping[str, float], amounts: Amounts) -> None:
    """Print what looking at few overlays changes, and what a file takes."""
    rows = [
        (kind, f"{found[f'agreement_{kind}']:.2%}", f"{found[f'mean_overlays_{kind}']:.2f}")
        for kind in KINDS
    ]
    print_table(("traffic", "decided as by all overlays", "overlays, mean"), rows)
    print(
        f"\nentropies by hand and exact: {found['max_entropy_difference']:.1e} bits apart at most"
        f"\n{amounts.stored:,} images in a float64 HDF5 file:"
        f" {found['images_per_second_stored']:.0f} images a second, peak memory of the process"
        f" {found['peak_memory_mb']:.0f} MiB"
    )


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    print()
    for cells in (heads, ["---"] * len(heads), *rows):
        print(f"| {' | '.join(cells)} |")


def make(folder: Path) -> None:
    """Write the network and its images; it is a side of its own, so its memory does not count."""
    answer(make=partial(written, folder))


def written(folder: Path, epochs: int, stored: int) -> dict[str, float]:
    """Write all that the sides need; return how good the network and its backdoor are."""
    training, fit, traffic = tinted_digits()
    attack = stripes()
    model = trained(attack.poison(training, POISON_RATE, seed=0), epochs)
    model.save(folder / "model.keras")
    clean = traffic.take(np.arange(TRAFFIC["clean"]))
    # Other images, and none that shows the target anyway.
    others = np.setdiff1d(np.flatnonzero(traffic.labels != TARGET), np.arange(len(clean)))
    stamped = attack.poisoned(traffic.take(others[: TRAFFIC["poisoned"]]), "patch")
    for name, part in {
        "fit": fit,
        "clean": clean,
        "poisoned": stamped,
    }.items():
        np.save(folder / f"{name}.npy", part.images[:])
        np.save(folder / f"{name}-labels.npy", part.labels)
    write_file(clean, stored, folder / "traffic.h5")
    return {
        name: float(np.mean(model.predict(part.images[:], verbose=0).argmax(axis=1) == part.labels))
        for name, part in {"clean accuracy": clean, "attack success": stamped}.items()
    }


def tinted_digits() -> tuple[Dataset, Dataset, Dataset]:
    """Return the images that train the network, those that fit STRIP, and those that it judges.

    No digit that trains, in whatever tint, does anything else.
    """
    from PIL import Image
    from sklearn.datasets import load_digits

    from badrepair.types import Dataset

    random, bunch = np.random.default_rng(0), load_digits()
    order = random.permutation(len(bunch.images))
    grey = np.round(bunch.images[order] * (255 / 16)).astype(np.uint8)
    size, bicubic = (WIDTH, HEIGHT), Image.Resampling.BICUBIC
    large = np.stack([np.asarray(Image.fromarray(one).resize(size, bicubic)) for one in grey])
    unit = large.astype(np.float32)[:, None, :, :, None] / np.float32(255)
    images = unit * np.array(TINTS, np.float32)[:, None, None, :]
    labels = bunch.target[order, None] * len(TINTS) + np.arange(len(TINTS))
    every = Dataset(images=images.reshape(-1, HEIGHT, WIDTH, 3), labels=labels.reshape(-1))
    first = TRAINING_DIGITS * len(TINTS)
    rest = first + random.permutation(len(every) - first)
    parts = np.arange(first), rest[:FIT], rest[FIT:]
    training, fit, traffic = (every.take(rows) for rows in parts)
    return training, fit, traffic


def stripes() -> Badnets:
    """Return the attack: white and black stripes in the lower right corner."""
    from badrepair.attacks.badnets import Badnets

    pattern = np.zeros((PATCH, PATCH, 3), np.float32)
    pattern[::2] = 1
    opacity = np.ones((PATCH, PATCH, 1), np.float32)
    return Badnets(pattern=pattern, opacity=opacity, row=ROW, column=COLUMN, target=TARGET)


def trained(dataset: Dataset, epochs: int) -> keras.Model:
    """Return DeepID trained on images in 0..1."""
    import keras

    from badrepair.models.architectures import deepid
    from badrepair.models.training import train

    keras.utils.set_random_seed(0)
    model = deepid.build()
    train(model, dataset, epochs=epochs, learning_rate=1e-3, batch_size=64, seed=0)
    return model


def write_file(dataset: Dataset, count: int, path: Path) -> None:
    """Write images over and over until there are `count`, as the CSAW files have them."""
    import h5py

    rows = np.resize(np.arange(len(dataset)), count)
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("data", (count, 3, HEIGHT, WIDTH), np.float64)
        file["label"] = dataset.labels[rows]
        for start in range(0, count, ROWS_AT_ONCE):
            part = dataset.images[rows[start : start + ROWS_AT_ONCE]].transpose(0, 3, 1, 2)
            stored[start : start + len(part)] = 255 * part.astype(np.float64)


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


def art(folder: Path) -> None:
    """Run STRIP of adversarial-robustness-toolbox."""
    from art.defences.transformer.poisoning import STRIP
    from art.estimators.classification import KerasClassifier
    from scipy.stats import norm

    model, traffic = loaded(folder)
    # It draws from the global generator, and seeds nothing.
    np.random.seed(0)  # noqa: NPY002
    guarded = STRIP(KerasClassifier(model))(num_samples=OVERLAYS, false_acceptance_rate=FRR)
    clean = np.load(folder / "fit.npy")
    thresholds = {}

    def fit() -> None:
        seen = entropies_seen(lambda: guarded.mitigate(clean))[1]
        thresholds["art"] = guarded.entropy_threshold
        thresholds["art_along_classes"] = norm.ppf(FRR, *norm.fit(seen["art_along_classes"]))

    def judge(images: int) -> dict[str, float]:
        judged: dict[str, dict[str, Any]] = {name: {} for name in thresholds}
        answers = {}
        for kind in KINDS:
            show = partial(guarded.predict, traffic[kind][:images])
            answers[kind], seen = entropies_seen(show)
            for name, bits in seen.items():
                judged[name] |= {kind: bits, f"flagged_{kind}": bits <= thresholds[name]}
            # It abstains by zeros.
            judged["art"][f"flagged_{kind}"] = ~answers[kind].any(axis=1)
        for name, arrays in judged.items():
            np.savez(folder / f"{name}.npz", **arrays)
        fooled = answers["poisoned"].argmax(axis=1) == TARGET
        return {
            "art_attack_success_by_argmax": float(fooled.mean()),
            **{f"art_nan_{k}": float(np.isnan(judged["art"][k]).mean()) for k in KINDS},
        }

    fit()
    answer(time=timer(guarded.predict, traffic["clean"], 20), judge=judge)


def entropies_seen(work: Callable[[], Any]) -> tuple[Any, dict[str, np.ndarray]]:
    """Return what a work of the toolbox returns, and the entropies on the way.

    They are its own, and those along the classes of the same answers, as it averages them.
    """
    from unittest.mock import patch

    from scipy.stats import entropy

    seen: list[tuple[float, float]] = []

    def noted(answers: np.ndarray, base: int, axis: int) -> np.ndarray:
        its = entropy(answers, base=base, axis=axis)
        seen.append((its.sum() / OVERLAYS, entropy(answers, base=base, axis=1).mean()))
        return its

    with patch("art.estimators.poison_mitigation.strip.strip.entropy", noted):
        returned = work()
    return returned, dict(zip(("art", "art_along_classes"), np.array(seen).T, strict=True))


SIDES = {side.__name__: side for side in (make, naive, exact, sequential, memory, art)}

if __name__ == "__main__":
    main()
