"""A seed decides how a network begins, and the world's randomness goes on as if nothing were."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from keras.src.random.seed_generator import global_seed_generator

from badrepair.models.seeded import seeded


def built(seed):
    """Return a network whose every layer begins at random, and which draws as it runs."""
    with seeded(seed):
        return keras.Sequential(
            [
                keras.Input((4, 4, 1)),
                layers.Conv2D(2, 3, kernel_initializer="he_normal", bias_initializer="normal"),
                layers.Flatten(),
                layers.Dense(40, kernel_initializer="orthogonal"),
                layers.Dropout(0.5),
            ]
        )


def weights(model):
    return [values.tobytes() for values in model.get_weights()]


def dropped(model):
    """Return which values Dropout leaves of three rows of ones, one row after the other."""
    dropout = model.layers[-1]
    return [np.asarray(dropout(tf.ones((1, 40)), training=True) > 0).tolist() for _ in range(3)]


def test_the_same_seed_gives_the_same_weights_and_another_one_others():
    first, again, other = built(5), built(5), built(6)
    assert weights(first) == weights(again)
    for kernel in (0, 2):
        assert not np.array_equal(first.get_weights()[kernel], other.get_weights()[kernel])


def test_the_same_seed_drops_the_same_values_call_by_call_and_another_one_others():
    first, again, other = (dropped(built(seed)) for seed in (5, 5, 6))
    assert first == again != other
    assert first[0] != first[1] != first[2]


def test_two_layers_of_one_network_begin_differently():
    with seeded(3):
        inputs = keras.Input((4,))
        twins = [layers.Dense(4), layers.Dense(4)]
        keras.Model(inputs, twins[1](twins[0](inputs)))
    first, second = (twin.kernel.numpy() for twin in twins)
    assert not np.array_equal(first, second)


def test_what_was_drawn_before_does_not_matter():
    random.seed(1)
    first = weights(built(5))
    random.seed(2)
    random.random()
    assert weights(built(5)) == first


def test_the_world_draws_on_as_if_nothing_had_been_built():
    random.seed(8)
    expected = [random.random() for _ in range(3)]
    random.seed(8)
    found = [random.random()]
    built(5)
    found.append(random.random())
    with seeded(9):
        random.random()
    found.append(random.random())
    assert found == expected


def test_the_world_draws_on_after_an_error_too():
    def fail():
        with seeded(5):
            random.random()
            raise ValueError("too small")

    before = random.getstate()
    with pytest.raises(ValueError, match="too small"):
        fail()
    assert random.getstate() == before


def test_seeds_inside_each_other_are_each_put_back():
    with seeded(1):
        expected = [random.random() for _ in range(2)]
    with seeded(1):
        found = [random.random()]
        with seeded(2):
            random.random()
        found.append(random.random())
    assert found == expected


def test_the_randomness_of_numpy_and_of_keras_is_left_alone():
    _, numbers, *place = np.random.get_state()  # noqa: NPY002
    numbers = numbers.copy()
    of_keras = global_seed_generator().state.numpy()
    with seeded(5):
        built(6)
    _, numbers_after, *place_after = np.random.get_state()  # noqa: NPY002
    assert np.array_equal(numbers_after, numbers)
    assert place_after == place
    assert np.array_equal(global_seed_generator().state.numpy(), of_keras)
