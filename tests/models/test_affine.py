"""The affine start of a network is found, and mixes need not pass through it."""

from __future__ import annotations

import logging

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers
from networks import fill
from scipy.stats import entropy

from badrepair.models import superimposing
from badrepair.models.affine import affine_split
from badrepair.models.architectures import deepid, small_cnn
from badrepair.models.superimposing import Superimposer

SHAPE = (6, 5, 2)
CLASSES = 4


def network(*start, head=True):
    """Return a network that begins with some layers."""
    entry = keras.Input(SHAPE)
    x = entry
    for layer in start:
        x = layer(x)
    x = layers.Flatten()(layers.Activation("relu")(x))
    model = keras.Model(entry, layers.Dense(CLASSES, activation="softmax")(x)) if head else None
    return fill(model)


STARTS = {
    "conv": lambda: [layers.Conv2D(3, 3, activation="relu", name="first")],
    "scaled conv": lambda: [layers.Rescaling(1 / 2, offset=-0.3), layers.Conv2D(3, 2)],
    "norm": lambda: [layers.Normalization(mean=0.4, variance=2.0), layers.Conv2D(3, 3, strides=2)],
    "padded": lambda: [layers.ZeroPadding2D(2), layers.Conv2D(3, 3, padding="same")],
    "depthwise": lambda: [layers.DepthwiseConv2D(3, activation="tanh", name="first")],
    "separable": lambda: [layers.SeparableConv2D(3, 3, activation="gelu")],
    "batch norm": lambda: [layers.Conv2D(3, 3), layers.BatchNormalization()],
    "averaged": lambda: [layers.Conv2D(3, 3), layers.AveragePooling2D(2), layers.Dropout(0.5)],
    "dense": lambda: [layers.Flatten(), layers.Dense(7, activation="relu", name="first")],
    "two convs": lambda: [layers.Conv2D(3, 2, use_bias=False), layers.Conv2D(4, 2)],
    "transposed": lambda: [layers.Conv2DTranspose(3, 2), layers.Cropping2D(1)],
}


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


def by_definition(model, images, overlays, weights):
    """Return the entropies in float64 from the network's own probabilities."""
    first, second = weights
    found = np.empty((len(images), len(overlays)))
    for column, overlay in enumerate(overlays):
        probabilities = np.asarray(model(first * images + second * overlay), np.float64)
        found[:, column] = entropy(probabilities, base=2, axis=1)
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(STARTS)),
    st.tuples(*[st.sampled_from([0.25, 0.5, 1.0, 1.5])] * 2),
    st.integers(0, 2**16),
    st.integers(1, 30),
)
def test_the_quick_way_the_plain_way_and_the_definition_agree(start, weights, seed, size):
    random = np.random.default_rng(seed)
    model = network(*STARTS[start]())
    images, overlays = (random.random((n, *SHAPE)).astype(np.float32) for n in (5, 7))
    expected = by_definition(model, images, overlays, weights)
    for shortcut in (False, True):
        mixer = Superimposer(model, overlays, weights, batch_size=size, shortcut=shortcut)
        found = mixer.entropies(mixer.prepared(images), 0, 7)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        part = mixer.entropies(mixer.prepared(images[1:3]), 2, 5)
        np.testing.assert_allclose(part, expected[1:3, 2:5], atol=1e-5)


def said(caplog, model, overlays=None):
    random = np.random.default_rng(0)
    overlays = random.random((5, *SHAPE)).astype(np.float32) if overlays is None else overlays
    with caplog.at_level(logging.INFO, logger="badrepair"):
        mixer = Superimposer(model, overlays, (1.0, 1.0), batch_size=10)
    return mixer, caplog.text


def test_what_runs_once_an_image_is_logged(caplog):
    model = network(layers.Conv2D(3, 3, activation="relu", name="first"))
    assert "first run once an image" in said(caplog, model)[1]


def test_a_start_that_is_not_affine_is_logged(caplog):
    assert "does not start with an affine layer" in said(caplog, network(layers.ReLU()))[1]


def test_a_start_that_numbers_cannot_take_apart_is_run_on_the_mixes(caplog):
    # The offset cancels in the convolution, but swallows digits of the pixels: other ones of a mix
    # than of its parts.
    edges = layers.Conv2D(1, (1, 2), activation="relu")
    model = network(layers.Rescaling(3.7, offset=1e5), edges)
    edges.set_weights([np.array([1.0, -1.0] * 2).reshape(1, 2, 2, 1), np.zeros(1)])
    overlays = np.random.default_rng(0).random((5, *SHAPE)).astype(np.float32)
    mixer, text = said(caplog, model, overlays)
    assert "change entropies by" in text
    expected = Superimposer(model, overlays, (1.0, 1.0), batch_size=10, shortcut=False)
    found = mixer.entropies(mixer.prepared(overlays), 0, 5)
    np.testing.assert_array_equal(found, expected.entropies(expected.prepared(overlays), 0, 5))


def test_a_bank_that_is_too_large_is_not_made(caplog, monkeypatch):
    monkeypatch.setattr(superimposing, "MOST_BANK_BYTES", 100)
    model = network(layers.Conv2D(3, 3, activation="relu", name="first"))
    assert "first make would take" in said(caplog, model)[1]


def test_an_entropy_does_not_vanish_where_float32_rounds_the_answer_to_one():
    # With k others d nats below, log(1 + S) is S = k exp(-d), and the others add d * S. In float64
    # 1 - p would be 0 for d = 80 already.
    logits = np.array([[30.0, 0, 0], [80, 0, -80]], np.float32)
    expected = np.array([2 * 31 * np.exp(-30), 81 * np.exp(-80)]) / np.log(2)
    np.testing.assert_allclose(superimposing.entropy_bits(logits), expected, rtol=1e-4)


def test_equal_logits_share_the_answer():
    logits = np.array([[5.0, 5, 5, 5], [7, 7, -1e4, -1e4]], np.float32)
    np.testing.assert_allclose(superimposing.entropy_bits(logits), [2, 1], rtol=1e-6)


def test_an_answer_that_is_no_number_has_no_entropy():
    infinite, nothing = np.inf, np.nan
    logits = [[nothing, 0, 0], [infinite, 0, 0], [infinite, infinite, 0], [nothing] * 3]
    assert superimposing.entropy_bits(np.float32(logits)).numpy().tolist() == [0] * 4
    lost = np.float32([[-infinite, 0, 0]])
    assert superimposing.entropy_bits(lost).numpy().tolist() == pytest.approx([1])
