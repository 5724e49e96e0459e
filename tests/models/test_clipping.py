"""Bounds on channels cut off what is above them, trained or written as plain layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from networks import GRAPHS, fill

from badrepair.models.clipping import Clipped
from badrepair.models.load import load_model
from badrepair.models.logits import logits_model
from badrepair.models.save import model_bytes

IMAGES = np.random.default_rng(0).normal(size=(12, 8, 8, 2)).astype(np.float32)
CLIPPED = ("conv with relu", "conv, norm, relu", "residual", "depthwise", "nested in the middle")


def by_hand():
    """Return a network that hands its two channels on: relu(x), and relu(-x)."""
    model = keras.Sequential(
        [
            keras.Input((1, 1, 1)),
            layers.Conv2D(2, 1, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(2, name="scores"),
        ]
    )
    kernel = np.array([1.0, -1.0]).reshape(1, 1, 1, 2)
    model.set_weights([kernel, np.zeros(2), np.eye(2), np.zeros(2)])
    return model


def image(value):
    return np.full((1, 1, 1, 1), value, np.float32)


def test_bounds_begin_so_many_deviations_above_the_mean():
    images = np.array([1.0, 3.0, 5.0, -3.0], np.float32).reshape(4, 1, 1, 1)
    clipped = Clipped(by_hand(), images, deviations=2.0, batch_size=3)
    first, second = np.array([1, 3, 5, 0]), np.array([0, 0, 0, 3])
    wanted = [of.mean() + 2 * of.std() for of in (first, second)]
    np.testing.assert_allclose(clipped.bounds[0].numpy(), wanted, rtol=1e-6)


@pytest.mark.parametrize("written", [False, True])
def test_what_is_above_a_bound_is_cut_off_and_the_rest_passes(written):
    clipped = Clipped(by_hand(), image(1.0), deviations=1.0, batch_size=1)
    clipped.bounds[0].assign([2.0, 0.5])
    network = clipped.written() if written else clipped.network
    made = [network(image(value)).numpy()[0].tolist() for value in (1.5, 7.0, -0.25, -9.0)]
    assert made == [[1.5, 0], [2, 0], [0, 0.25], [0, 0.5]]


@pytest.mark.parametrize("name", CLIPPED)
def test_written_bounds_do_what_trained_ones_do_and_survive_the_file(name, tmp_path):
    model = fill(GRAPHS[name].build())
    clipped = Clipped(model, IMAGES, deviations=0.5, batch_size=5)
    through = clipped.network(IMAGES, training=False).numpy()
    written = clipped.written()
    np.testing.assert_allclose(
        logits_model(written)(IMAGES, training=False), through, rtol=1e-4, atol=1e-4
    )
    assert not np.allclose(logits_model(model)(IMAGES, training=False), through, atol=1e-3)
    path = tmp_path / "bounded.keras"
    path.write_bytes(model_bytes(written, path))
    np.testing.assert_array_equal(load_model(path)(IMAGES), written(IMAGES))


def test_no_weight_of_the_network_changes():
    model = fill(GRAPHS["residual"].build())
    before = model.get_weights()
    written = Clipped(model, IMAGES, deviations=0.5, batch_size=5).written()
    assert all(map(np.array_equal, before, model.get_weights()))
    assert all(map(np.array_equal, before, written.get_weights()))
