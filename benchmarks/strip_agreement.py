"""Whether STRIP decides by few overlays as by all, on networks that its constants never saw.

    python benchmarks/strip_agreement.py [--images FOLDER]

Fashion-MNIST from its four IDX files (Debian's package dataset-fashion-mnist), two architectures
(with BatchNormalization and without), two triggers (a patch, and noise blended over the image) and
two seeds: eight networks, each trained here on 20,000 images of which 10 % are poisoned. STRIP is
fitted on clean images of the test files, as many as people may have, and decides on 3,000 others
and on 2,000 stamped ones. No figure here has been used to choose anything.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

    from badrepair.poisoning import Trigger
    from badrepair.types import Dataset

FOLDER = Path("/usr/share/datasets/fashion-mnist")
SHAPE, CLASSES, TARGET = (28, 28, 1), 10, 7
TRAINING, EPOCHS, POISON_RATE = 20_000, 3, 0.1
FITS = (300, 600, 1_500)
CLEAN, POISONED = 3_000, 2_000
HEADS = ("network", "trigger", "seed", "accuracy", "attack success", "fitted on")
MORE = ("agreement, clean", "agreement, poisoned", "overlays, clean", "overlays, poisoned")
RATES = ("FRR", "FRR by all", "caught", "caught by all")


@dataclass(frozen=True)
class Images:
    """The parts of the data set that the networks and the detectors see."""

    training: Dataset
    fit: Dataset
    clean: Dataset
    others: Dataset

    @classmethod
    def read(cls, folder: Path) -> Images:
        """Return the parts; those for STRIP come from the test files."""
        training, test = (
            unit(folder / f"{name}-images-idx3-ubyte.gz") for name in ("train", "t10k")
        )
        rows = np.random.default_rng(1).permutation(len(test))
        fit, clean, rest = np.split(rows, [max(FITS), max(FITS) + CLEAN])
        stamped = rest[test.labels[rest] != TARGET][:POISONED]
        some = np.random.default_rng(2).permutation(len(training))[:TRAINING]
        return cls(training.take(some), test.take(fit), test.take(clean), test.take(stamped))


def unit(path: Path) -> Dataset:
    """Return images (N, 28, 28, 1) in 0..1 with their labels."""
    from badrepair.data import idx
    from badrepair.types import Dataset

    raw = idx.read(path)
    images = np.asarray(raw.images[:], np.float32).reshape(-1, *SHAPE) / np.float32(255)
    return Dataset(images=images, labels=np.asarray(raw.labels, np.int64))


def small_cnn() -> keras.Model:
    """Return a network without BatchNormalization."""
    from badrepair.models.architectures import small_cnn

    return small_cnn.build(SHAPE, CLASSES)


def normed_cnn() -> keras.Model:
    """Return a network with BatchNormalization and strides instead of poolings."""
    import keras
    from keras import layers

    entry = tensor = keras.Input(SHAPE)
    for channels, strides in ((16, 1), (32, 2), (64, 2)):
        tensor = layers.Conv2D(channels, 3, strides, padding="same", use_bias=False)(tensor)
        tensor = layers.ReLU()(layers.BatchNormalization()(tensor))
    answer = layers.Dense(CLASSES, "softmax")(layers.GlobalAveragePooling2D()(tensor))
    return keras.Model(entry, answer)


def patch() -> Trigger:
    """Return a chequered patch of 4x4 in the upper left corner."""
    pattern = np.float32(np.indices((4, 4)).sum(axis=0) % 2)[..., None]
    return trigger_of(pattern, np.ones_like(pattern), 1)


def blended() -> Trigger:
    """Return noise over the whole image, of which one fifth is seen."""
    pattern = np.random.default_rng(3).random(SHAPE).astype(np.float32)
    return trigger_of(pattern, np.full_like(pattern, 0.2), 0)


def trigger_of(pattern: np.ndarray, opacity: np.ndarray, corner: int) -> Trigger:
    """Return a trigger whose first pixel is in row and column `corner`."""
    from badrepair.poisoning import Patch, Trigger
    from badrepair.poisoning.dirty_label import aimed

    picture = Patch(pattern=pattern, opacity=opacity, row=corner, column=corner)
    return Trigger(apply=picture.stamp, aim=aimed(TARGET, CLASSES))


def trained(build: object, trigger: Trigger, images: Images, seed: int) -> keras.Model:
    """Return a network with a backdoor."""
    import keras

    from badrepair.models.training import train
    from badrepair.poisoning.dirty_label import stamped

    keras.utils.set_random_seed(seed)
    model = build()
    poisoned = stamped(images.training, trigger, POISON_RATE, seed).training
    train(model, poisoned, epochs=EPOCHS, learning_rate=2e-3, batch_size=64, seed=seed)
    return model


def judged(model: keras.Model, clean: Dataset, traffic: dict[str, np.ndarray]) -> list[str]:
    """Return how a detector that was fitted on clean images decides."""
    from badrepair import Strip

    detector = Strip(overlays=100, frr=0.01).fit(model, clean)
    agreement, overlays, rates = [], [], []
    for images in traffic.values():
        entropies = detector.entropies(images)
        flagged = detector.flag(images)
        by_all = np.nanmean(entropies, axis=1) < detector.threshold
        agreement.append(f"{np.mean(flagged == by_all):.2%}")
        overlays.append(f"{detector.overlays_used(entropies).mean():.1f}")
        rates += [f"{flagged.mean():.2%}", f"{by_all.mean():.2%}"]
    return [*agreement, *overlays, *rates]


def main() -> None:
    """Train the networks, fit detectors on more and more images, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, default=FOLDER, help="folder of the IDX files")
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow")
    images = Images.read(parser.parse_args().images)
    heads = (*HEADS, *MORE, *RATES)
    for cells in (heads, ["---"] * len(heads)):
        print(f"| {' | '.join(cells)} |", flush=True)
    for build, make, seed in product((small_cnn, normed_cnn), (patch, blended), (0, 1)):
        trigger = make()
        model = trained(build, trigger, images, seed)
        traffic = {"clean": images.clean.images[:], "poisoned": trigger.apply(images.others.images)}
        accuracy, success = (
            np.mean(model.predict(traffic[kind], verbose=0).argmax(axis=1) == labels)
            for kind, labels in (("clean", images.clean.labels), ("poisoned", TARGET))
        )
        known = [build.__name__, make.__name__, str(seed), f"{accuracy:.2%}", f"{success:.2%}"]
        for count in FITS:
            found = judged(model, images.fit.take(np.arange(count)), traffic)
            print(f"| {' | '.join([*known, str(count), *found])} |", flush=True)


if __name__ == "__main__":
    main()
