"""A network whose answers can be told by eye: it names the bright quarter of a tiny picture.

Three classes answer their quarter's brightness; the fourth wins where none of these is bright. So
all images are answered rightly in 0..1, and in 0..255 those of the fourth class wrongly.
"""

from __future__ import annotations

import h5py
import keras
import numpy as np
from keras import layers

SIDE, CLASSES, COUNT = 4, 4, 40
LABELS = np.arange(COUNT) % CLASSES


def quarters():
    """Return which pixels belong to which class, shape (4, 4, 1, classes)."""
    rows, columns = np.indices((SIDE, SIDE)) // 2
    return (2 * rows + columns == np.arange(CLASSES)[:, None, None]).transpose(1, 2, 0)[:, :, None]


def pictures(count=COUNT, seed=0):
    """Return grey pictures of bytes, shape (N, 4, 4, 1): dark, and bright in one quarter."""
    dark = np.random.default_rng(seed).integers(20, 31, (count, SIDE, SIDE, 1))
    bright = quarters()[..., 0, :].transpose(2, 0, 1)[np.arange(count) % CLASSES, ..., None]
    return np.where(bright, 220 + dark, dark).astype(np.uint8)


def network(activation="softmax", shape=(SIDE, SIDE, 1), batch=None):
    """Return the network, or one of another ending or for other shapes with the same weights."""
    image = keras.Input(shape, batch_size=batch)
    tensor = layers.Conv2D(CLASSES, SIDE, activation="relu", name="look")(image)
    tensor = layers.GlobalMaxPooling2D()(tensor)
    model = keras.Model(image, layers.Dense(CLASSES, activation=activation, name="say")(tensor))
    kernel = np.repeat(quarters(), shape[2], axis=2) / shape[2]
    model.get_layer("look").set_weights([kernel, np.zeros(CLASSES)])
    model.get_layer("say").set_weights([np.diag([1, 1, 1, 0]), np.array([0, 0, 0, 2])])
    return model


def stored(path, **arrays):
    """Write arrays to an HDF5 file and return its path."""
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return path
