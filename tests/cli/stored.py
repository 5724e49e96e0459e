"""What files hold and networks answer, found out without badrepair."""

from __future__ import annotations

import h5py
import keras
import numpy as np


def arrays_in(path):
    """Return the arrays of an HDF5 file by name."""
    # HDF5 wants all handles of a file in a process locked, or none: badrepair's are not.
    with h5py.File(path, locking=False) as file:
        return {name: file[name][()] for name in file}


def images_in(path):
    """Return the images of a file as the small network takes them: (N, H, W, C) in 0..1."""
    return arrays_in(path)["data"].transpose(0, 2, 3, 1).astype(np.float32) / 255


def answers(model, images):
    """Return the classes that a model file answers."""
    network = keras.saving.load_model(model, compile=False)
    return network.predict(images, verbose=0).argmax(axis=1)
