"""The affine start of a network is found."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from networks import fill
from starts import SHAPE, STARTS, network

from badrepair.models.affine import affine_split
from badrepair.models.architectures import deepid, small_cnn


@pytest.mark.parametrize("start", STARTS)
def test_the_two_parts_answer_as_the_network_does(start):
    model = network(*STARTS[start]())
    split = affine_split(model)
    images = np.random.default_rng(0).normal(size=(9, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(split.rest(split.start(images)), model(images), atol=1e-6)


@pytest.mark.parametrize("start", STARTS)
def test_the_start_is_affine(start):
    split = affine_split(network(*STARTS[start]()))
    random = np.random.default_rng(1)
    one, other = random.normal(size=(2, 5, *SHAPE)).astype(np.float32)
    a, b = 0.7, -1.9
    begun = split.start(a * one + b * other)
    parts = a * split.start(one) + b * split.start(other) + (1 - a - b) * split.start(0 * one)
    np.testing.assert_allclose(begun, parts, atol=1e-4)


def test_the_split_is_as_late_as_the_start_is_affine():
    model = network(layers.Rescaling(2.0), layers.Conv2D(3, 2), layers.BatchNormalization())
    assert affine_split(model).names.count(",") == 2
    assert (
        affine_split(network(layers.Conv2D(3, 2, activation="relu", name="first"))).names == "first"
    )


@pytest.mark.parametrize(
    "start",
    [
        lambda: [layers.ReLU(), layers.Conv2D(3, 2)],
        lambda: [layers.MaxPooling2D(2), layers.Conv2D(3, 2)],
        lambda: [layers.Activation("sigmoid"), layers.Conv2D(3, 2)],
        # Nothing is gained by it: there is no product to save.
        lambda: [layers.Rescaling(2.0)],
    ],
)
def test_a_start_that_is_not_affine_or_saves_nothing_is_left_alone(start):
    assert affine_split(network(*start())) is None


def test_a_convolution_that_runs_twice_is_left_alone():
    twice = layers.Conv2D(2, 3, padding="same", activation="relu")
    assert affine_split(network(twice, twice)) is None


def test_an_input_that_two_layers_read_is_left_alone():
    entry = keras.Input(SHAPE)
    both = layers.Add()([layers.Conv2D(2, 1)(entry), entry])
    model = fill(keras.Model(entry, layers.Dense(3)(layers.Flatten()(both))))
    assert affine_split(model) is None


def test_a_purely_affine_network_has_no_rest():
    entry = keras.Input(SHAPE)
    model = fill(keras.Model(entry, layers.Dense(3)(layers.Flatten()(entry))))
    assert affine_split(model) is None


def test_the_network_itself_is_left_untouched():
    model = network(layers.Conv2D(3, 3, activation="relu", name="first"))
    before = [weight.copy() for weight in model.get_weights()]
    split = affine_split(model)
    split.start.set_weights([0 * weight for weight in split.start.get_weights()])
    assert model.get_layer("first").activation is keras.activations.relu
    assert all(map(np.array_equal, before, model.get_weights()))


@pytest.mark.parametrize("build", [deepid.build, small_cnn.build])
def test_the_known_networks_start_with_their_first_convolution(build):
    assert affine_split(build()).names == "conv_1"
