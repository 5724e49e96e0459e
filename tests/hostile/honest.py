"""An honest small network in every form that a file can have, for hostile files to start from."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import keras
from keras import layers

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
SHAPE = (8, 8, 1)


def network():
    """Return a graph that Keras loads in any format, with layers that attacks change."""
    image = keras.Input(SHAPE, name="image")
    maps = layers.Conv2D(2, 3, activation="relu", name="conv_1")(image)
    flat = layers.Flatten(name="flatten_1")(layers.Add(name="add_1")([maps, maps]))
    return keras.Model(image, layers.Dense(3, activation="softmax", name="dense_1")(flat))


@cache
def saved(suffix):
    """Return what Keras writes; the same bytes every time."""
    with TemporaryDirectory() as folder:
        path = Path(folder, f"honest.{suffix}")
        keras.utils.set_random_seed(3)
        network().save(path)
        return path.read_bytes()


@cache
def members():
    with zipfile.ZipFile(io.BytesIO(saved("keras"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def described():
    """Return the description of the network, to change at will."""
    return json.loads(members()[CONFIG])


def changed(change):
    """Return the description as text after a change, which may return another in its place."""
    config = described()
    return json.dumps(change(config) or config).encode()


def layer(config, name):
    """Return the description of a layer by its name or its class."""
    found = config["config"]["layers"]
    return next(one for one in found if name in (one["class_name"], one["config"].get("name")))


def spoilt(content, spoil):
    """Return an HDF5 file, given and returned as bytes, after something was done to it."""
    stream = io.BytesIO(content)
    with h5py.File(stream, "r+") as file:
        spoil(file)
    return stream.getvalue()


def as_keras(folder, config=None, weights=None, metadata=None, packing=zipfile.ZIP_STORED):
    path = folder / "model.keras"
    given = {CONFIG: config, METADATA: metadata, WEIGHTS: weights}
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in members().items():
            archive.writestr(name, content if given[name] is None else given[name])
    return path


def as_h5(folder, config=None, spoil=lambda file: None):
    """Write a whole `.h5`, with another description or after something was done to it."""

    def change(file):
        if config is not None:
            file.attrs["model_config"] = config
        spoil(file)

    return as_bytes(folder, "model.h5", spoilt(saved("h5"), change))


def as_json(folder, config=None):
    return as_bytes(folder, "model.json", members()[CONFIG] if config is None else config)


def as_weights(folder, spoil=lambda file: None):
    return as_bytes(folder, "model.weights.h5", spoilt(members()[WEIGHTS], spoil))


def as_bytes(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return path


FORMS = {"keras": as_keras, "h5": as_h5, "json": as_json}
HONEST = {
    "keras": as_keras,
    "h5": as_h5,
    "packed keras": lambda folder: as_keras(folder, packing=zipfile.ZIP_DEFLATED),
}
