"""Mixes are made on the quick way only where it is the same as the plain one."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers
from scipy.stats import entropy
from starts import FRONTS, SHAPE, STARTS, network

from badrepair.models import mixing
from badrepair.models.superimposing import Superimposer


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
    st.sampled_from(sorted(STARTS | FRONTS)),
    st.tuples(*[st.sampled_from([0.25, 0.5, 1.0, 1.5])] * 2),
    st.integers(0, 2**16),
    st.integers(1, 30),
)
def test_the_quick_way_the_plain_way_and_the_definition_agree(start, weights, seed, size):
    random = np.random.default_rng(seed)
    model = network(*(STARTS | FRONTS)[start]())
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
    monkeypatch.setattr(mixing, "MOST_BANK_BYTES", 100)
    model = network(layers.Conv2D(3, 3, activation="relu", name="first"))
    assert "first make would take" in said(caplog, model)[1]


@pytest.fixture
def uncompiled(monkeypatch):
    def refuse(*_, jit_compile=False, **__):
        if jit_compile:
            raise tf.errors.UnimplementedError(None, None, "no XLA here")
        return tf.add

    with monkeypatch.context() as patch:
        patch.setattr(tf, "function", refuse)
        mixing._can_be_compiled.cache_clear()
        mixing._mixer.cache_clear()
        assert not mixing._can_be_compiled()
    yield
    mixing._can_be_compiled.cache_clear()
    mixing._mixer.cache_clear()


@pytest.mark.parametrize("start", FRONTS)
def test_without_xla_mixes_are_the_same_to_the_last_bit(request, start):
    model = network(*FRONTS[start]())
    images, overlays = np.random.default_rng(0).random((2, 5, *SHAPE)).astype(np.float32)

    def entropies():
        mixer = Superimposer(model, overlays, (1.0, 1.0), batch_size=10)
        return mixer.entropies(mixer.prepared(images), 0, 5)

    expected = entropies()
    request.getfixturevalue("uncompiled")
    np.testing.assert_array_equal(entropies(), expected)
