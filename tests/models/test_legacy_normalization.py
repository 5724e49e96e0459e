"""A Normalization with constants answers the same, and spreads no number over an image."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from badrepair.models.legacy_values import normalization

IMAGES = np.random.default_rng(1).random((2, 4, 5, 3), dtype=np.float32)


@pytest.mark.parametrize("axis", [-1, None, [1, 2, 3]])
@pytest.mark.parametrize("mean", [0.4, [0.4], [[[0.4]]]])
def test_single_numbers_hold_for_every_value_whatever_the_axis(axis, mean):
    config = {"axis": axis, "mean": mean, "variance": 0.25}
    assert normalization(config) == {"axis": None, "mean": 0.4, "variance": 0.25}
    expected = (IMAGES - 0.4) / 0.5
    layer = keras.layers.Normalization(**normalization(config))
    np.testing.assert_allclose(layer(IMAGES), expected, atol=1e-6)


def test_a_number_for_each_channel_stays_as_it_is():
    config = {"axis": -1, "mean": [0.1, 0.2, 0.3], "variance": [1.0, 1.0, 2.0]}
    assert normalization(config) == config


def test_statistics_that_are_weights_stay_as_they_are():
    config = {"axis": [-1], "mean": None, "variance": None}
    assert normalization(config) == config


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"mean": 0.5, "variance": [1.0, 2.0]}, "a single number"),
        ({"axis": [1, 2, 3], "mean": [0.1, 0.2], "variance": [1.0, 2.0]}, "several axes"),
    ],
)
def test_a_few_numbers_for_many_values_are_refused(config, problem):
    with pytest.raises(ValueError, match=problem):
        normalization(config)
