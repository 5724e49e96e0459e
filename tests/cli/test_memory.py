"""A file larger than memory is read by slices: what a run holds does not grow with its data.

What is promised: the model, two batches and 200 MB.
"""

from __future__ import annotations

import subprocess
import sys
import zlib

import h5py
import keras
import numpy as np
import pytest

SIDE, CHANNELS, BATCH = 512, 3, 20
IMAGE_BYTES = SIDE * SIDE * CHANNELS
# As float32, in MB.
TWO_BATCHES = 2 * BATCH * IMAGE_BYTES * 4 / 2**20
# Runs a command and prints the most memory it held, in MB. What runs is the only child.
MEASURE = """
import resource, subprocess, sys

subprocess.run([sys.executable, "-m", "badrepair", *sys.argv[1:]], check=True, stdout=sys.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def sparse(path, count):
    """Write a file of black images that takes next to no room on disk."""
    shape, packed = (SIDE, SIDE, CHANNELS), zlib.compress(bytes(IMAGE_BYTES), 9)
    with h5py.File(path, "w") as file:
        options = {"chunks": (1, *shape), "compression": "gzip"}
        data = file.create_dataset("data", (count, *shape), np.uint8, **options)
        for row in range(count):
            data.id.write_direct_chunk((row, 0, 0, 0), packed)
        file["label"] = np.arange(count) % 3
    return path


def model(path, *layers):
    """Write a net of three classes that begins with the given layers."""
    image = tensor = keras.Input((SIDE, SIDE, CHANNELS))
    for layer in layers:
        tensor = layer(tensor)
    answer = keras.layers.Dense(3, activation="softmax")
    keras.Model(image, answer(keras.layers.GlobalAveragePooling2D()(tensor))).save(path)
    return path


def peak_mb(*arguments):
    """Return the most memory that a command held."""
    common = ("--batch-size", BATCH, "--input-range", "0-1", "-q")
    command = [sys.executable, "-c", MEASURE, *map(str, (*arguments, *common))]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(ended.stdout)


@pytest.mark.slow
def test_evaluating_five_gigabytes_holds_two_batches_and_little_else(tmp_path):
    net = model(tmp_path / "net.keras", keras.layers.AveragePooling2D(128))
    small = sparse(tmp_path / "small.h5", 100)
    large = sparse(tmp_path / "large.h5", 5 * 2**30 // IMAGE_BYTES)
    assert large.stat().st_size < 50 * 2**20
    few, many = (peak_mb("evaluate", "--model", net, "--clean", data) for data in (small, large))
    assert many - few < 200 + TWO_BATCHES


@pytest.mark.slow
def test_pruning_keeps_no_more_activations_in_memory_than_that(tmp_path):
    """An image has activations of 2 MB, and 300 images are held out."""
    net = model(
        tmp_path / "net.keras",
        keras.layers.Conv2D(2, 3, padding="same", activation="relu"),
        keras.layers.DepthwiseConv2D(3),
    )
    options = ("prune", "--model", net, "--epochs", 0, "--held-out", "0.5")
    few, many = (
        peak_mb(
            *(*options, "--clean", sparse(tmp_path / f"{count}.h5", count)),
            *("-o", tmp_path / f"{count}.keras"),
        )
        for count in (100, 600)
    )
    assert many - few < 200 + TWO_BATCHES
