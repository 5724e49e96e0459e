"""The network and the images of STRIP's benchmark.

DeepID (55x47x3, 1,283 classes) with a backdoor, trained on scikit-learn's digits enlarged to 55x47
in 8 tints; digit and tint together are 80 classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from badrepair.poisoning import Trigger
    from badrepair.types import Dataset

HEIGHT, WIDTH = 55, 47
TINTS = [[r, g, b] for r in (0.3, 1) for g in (0.3, 1) for b in (0.3, 1)]
TRAINING_DIGITS, FIT = 900, 1_500
PATCH, ROW, COLUMN = 8, 45, 37
TARGET, POISON_RATE = 0, 0.1
KINDS = ("clean", "poisoned")
TRAFFIC = {"clean": 3_500, "poisoned": 2_000}
ROWS_AT_ONCE = 500


def written(folder: Path, epochs: int, stored: int) -> dict[str, float]:
    """Write all that the sides need; return how good the network and its backdoor are."""
    from badrepair.poisoning.dirty_label import stamped

    training, fit, traffic = tinted_digits()
    trigger = stripes()
    model = trained(stamped(training, trigger, POISON_RATE, seed=0).training, epochs)
    model.save(folder / "model.keras")
    clean = traffic.take(np.arange(TRAFFIC["clean"]))
    # Other images, and none that shows the target anyway.
    others = np.setdiff1d(np.flatnonzero(traffic.labels != TARGET), np.arange(len(clean)))
    poisoned = trigger.poisoned(traffic.take(others[: TRAFFIC["poisoned"]]))
    for name, part in {
        "fit": fit,
        "clean": clean,
        "poisoned": poisoned,
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


def stripes() -> Trigger:
    """Return the trigger: white and black stripes in the lower right corner."""
    from badrepair.models.architectures import deepid
    from badrepair.poisoning import Patch, Trigger
    from badrepair.poisoning.dirty_label import aimed

    pattern = np.zeros((PATCH, PATCH, 3), np.float32)
    pattern[::2] = 1
    opacity = np.ones((PATCH, PATCH, 1), np.float32)
    patch = Patch(pattern=pattern, opacity=opacity, row=ROW, column=COLUMN)
    return Trigger(apply=patch.stamp, aim=aimed(TARGET, deepid.CLASSES), name="patch")


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
