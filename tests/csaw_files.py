"""Find the competition's files in a folder, and measure on them what has been published."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner

from badrepair import data
from badrepair.cli import app
from badrepair.data import ranges
from badrepair.data.arrange import arrange
from badrepair.defenses.strip import Strip
from badrepair.evaluation import evaluate
from badrepair.models import inference
from badrepair.models.guards import disagreement_guard
from badrepair.models.load import load_model
from badrepair.models.pruner import ChannelPruner

if TYPE_CHECKING:
    from pathlib import Path

MULTI, LAB = "multi", "lab3"


@dataclass(frozen=True)
class Folder:
    """A folder that holds some of the competition's files, at any depth.

    Args:
        root: None where the user named none.
    """

    root: Path | None

    def file(self, *names: str, under: str = "", not_under: str = "") -> Path:
        """Return the first file of these names, the least deep first; skip the test without.

        Args:
            names: In order of preference.
            under: What a folder's name above the file must contain, small letters.
            not_under: What no folder's name above it may contain.
        """
        if self.root is None:
            pytest.skip("BADREPAIR_CSAW_DATA is not set; run: make csaw DATA=folder of the data")
        for name in names:
            found = [p for p in self.root.rglob(name) if self._fits(p, under, not_under)]
            if found:
                return min(found, key=lambda path: (len(path.parts), str(path)))
        place = f" in a folder named like *{under}*" if under else ""
        pytest.skip(f"no {' or '.join(names)}{place} below {self.root}")

    def _fits(self, path: Path, under: str, not_under: str) -> bool:
        above = [part.lower().replace(" ", "") for part in path.relative_to(self.root).parts[:-1]]
        inside = not under or any(under in part for part in above)
        return inside and not (not_under and any(not_under in part for part in above))

    def net(self, name: str) -> Path:
        """Return the file of a competition's net, whole or weights only."""
        return self.file(f"{name}_bd_net.h5", f"{name}_bd_weights.h5")

    def lab_net(self) -> Path:
        """Return the file of the exercise's net; other folders hold nets of the same name."""
        found = None if self.root is None else list(self.root.rglob("bd_net.h5"))
        under = LAB if found and len(found) > 1 else ""
        return self.file("bd_net.h5", "bd_weights.h5", under=under)

    def poisoned(self, trigger: str) -> Path:
        """Return the file of a trigger; `multi/sunglasses` and `sunglasses` are not the same."""
        group, _, name = trigger.rpartition("/")
        if name != "sunglasses":
            return self.file(f"{name}_poisoned_data.h5")
        under, not_under = (group, "") if group else ("", MULTI)
        return self.file(f"{name}_poisoned_data.h5", under=under, not_under=not_under)


def percent(model: Path, what: str, *options: object) -> float:
    """Return what `badrepair evaluate` prints, in percent.

    Args:
        model: The model's file.
        what: `accuracy` on clean data, or `attack_success_rate`.
        options: Which data, and how it is read.
    """
    arguments = ["evaluate", "--model", f"net={model}", *map(str, options), "--format", "json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    (measured,) = json.loads(result.stdout)["models"]
    row = measured["clean"] if what == "accuracy" else measured["attacks"][0]
    return 100 * row[what]


def dataset(path: Path, model: keras.Model, takes: ranges.StoredRange):
    """Return a file's images in the range that the model takes, with their labels."""
    shape = tuple(model.input_shape[1:])
    stored = arrange(data.read(path), input_shape=shape, name=path.stem, where=path)
    return ranges.scaled(stored, ranges.stored_range(stored), takes)


@dataclass(frozen=True)
class GoodNet:
    """The exercise's answer for one drop.

    Args:
        channels: How many are pruned.
        clean: Clean accuracy on test, percent; an answer N is wrong.
        attack: Attack success on test, percent.
    """

    channels: int
    clean: float
    attack: float


def good_net(model_file, validation, test, poisoned, drop, *, takes="0-255", pool="pool_3"):
    """Return what pruning alone gives, as the exercise asks for it.

    Channels go in increasing order of their mean activation behind the last pooling layer, until
    validation accuracy has fallen by `drop` points. G answers where the net and the pruned one
    agree, and N elsewhere.
    """
    model = load_model(model_file)
    valid, clean, stamped = (dataset(p, model, takes) for p in (validation, test, poisoned))
    tap = keras.Model(model.inputs, model.get_layer(pool).output)
    means = inference.run(tap, valid.images, lambda maps: tf.reduce_mean(maps, axis=(1, 2)))
    order = np.argsort(means.astype(np.float64).mean(axis=0), kind="stable")
    pruner = ChannelPruner(model, [pool])
    channels = first_fallen(pruner.sweep(order, valid), drop / 100)
    pruned, _ = pruner.apply(order[:channels])
    report = evaluate(disagreement_guard(model, pruned), clean, [stamped])
    (attack,) = report.attacks
    return GoodNet(
        channels, 100 * report.clean.accuracy.value, 100 * attack.attack_success_rate.value
    )


def first_fallen(accuracies, drop: float) -> int:
    """Return the first level that has lost `drop`, which is one beyond what `prune` would keep."""
    return int(np.flatnonzero(accuracies[0] - accuracies >= drop - 1e-9)[0])


def clean_entropy_bits(model_file: Path, clean: Path, *, overlays=500, images=400) -> float:
    """Return the mean entropy of clean images under superimposition.

    The published means are of 2,000 images with 100 overlays drawn anew for each. Ours come from
    one set of overlays, which must be larger for the same certainty: its own spread is about
    0.13 bits over the square root of its size.
    """
    model = load_model(model_file)
    stored = dataset(clean, model, "0-1")
    rows = np.random.default_rng(0).permutation(len(stored))[: overlays + images]
    # Half of the images flagged is as good as any other rate: only the entropies are wanted.
    defense = Strip(overlays=overlays, frr=0.5, exact=True, batch_size=1000)
    detector = defense.fit(model, stored.take(rows))
    return float(detector.calibration.mean())
