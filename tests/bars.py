"""A data set that a network learns in a second: a bright bar in one of three places, and noise."""

from __future__ import annotations

import numpy as np

SIDE, CLASSES = 16, 3
TRAINING, TEST = 240, 150


def bars(count, seed):
    """Return images (count, 16, 16, 1) in 0..255 and the third in which each has its bar."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    images = random.integers(0, 60, (count, SIDE, SIDE, 1))
    for image, label in zip(images, labels, strict=True):
        image[1 + 4 * label : 4 + 4 * label, :12] += 150
    return images.astype(np.uint8), labels


def spec(folder):
    """Write the data set to a folder, and return what `--data` takes."""
    paths = [folder / name for name in ("training.npz", "test.npz")]
    for seed, (path, count) in enumerate(zip(paths, (TRAINING, TEST), strict=True)):
        images, labels = bars(count, seed)
        np.savez(path, images=images, labels=labels)
    return f"npz:{paths[0]},{paths[1]}"
