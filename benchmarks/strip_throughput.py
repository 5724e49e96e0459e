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
  (`pip install --no-deps --target DIR adversarial-robustness-toolbox tqdm six`, PYTHONPATH=DIR);
  see toolbox.py.

Every side runs in a process of its own and waits for its turn; the sides take turns round by
round, and the medians of the rounds' ratios count. One more process runs the sequential detector
over a float64 HDF5 file, for its peak memory. The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sides import Side, alone, machine, serve, started
from strip_sides import exact, make, memory, naive, sequential
from tinted_digits import KINDS, TRAFFIC
from toolbox import art

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


SIDES = {side.__name__: side for side in (make, naive, exact, sequential, memory, art)}

if __name__ == "__main__":
    main()
