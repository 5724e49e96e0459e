"""Attention is where a convolution's channels are large, summed over them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from networks import GRAPHS, fill

from badrepair.errors import ModelError
from badrepair.models.attention import attending
from badrepair.models.logits import logits_model


def test_it_is_the_sum_of_squared_channels_at_length_one():
    model = keras.Sequential(
        [
            keras.Input((1, 2, 1)),
            layers.Conv2D(2, 1, activation="relu"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    model.layers[0].set_weights([np.array([1.0, 2.0]).reshape(1, 1, 1, 2), np.zeros(2)])
    answers, (attention,) = attending(model, 3)(np.array([[[[1.0], [2.0]]]], np.float32))
    # One squared and two squared are 5; two squared and four squared are 20.
    np.testing.assert_allclose(attention, [[5 / 425**0.5, 20 / 425**0.5]], rtol=1e-5)
    assert answers.shape == (1, 2)


def test_the_last_convolutions_are_taken():
    student = logits_model(fill(GRAPHS["branching"].build()))
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 2)).astype(np.float32)
    _, maps = attending(student, 1)(images)
    assert [one.shape for one in maps] == [(3, 4)]
    _, maps = attending(student, 9)(images)
    assert [one.shape for one in maps] == [(3, 36), (3, 4)]
    np.testing.assert_allclose(np.linalg.norm(maps[0], axis=1), 1, rtol=1e-5)


def test_a_network_without_convolutions_is_refused():
    with pytest.raises(ModelError, match="expected a convolution whose attention can be read"):
        attending(fill(GRAPHS["dense"].build()), 1)
