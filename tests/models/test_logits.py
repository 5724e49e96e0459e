"""Whatever a network ends in, its logits can be read, and their softmax is its answer."""

from __future__ import annotations

import numpy as np
import pytest
from heads import (
    HEADS,
    LOGITS,
    SOFTMAX,
    functional,
    nested_with_its_softmax_inside,
    raw_logits,
    softmax_in_the_layer,
)
from keras import layers
from scipy.special import softmax

from badrepair.models import inference
from badrepair.models.logits import head_of, is_normalised, logits_model

KERNEL = np.arange(12, dtype=np.float32).reshape(4, 3) / 4
BIAS = np.array([3, 0, -3], np.float32)
IMAGES = np.random.default_rng(0).random((5, 2, 2, 1)).astype(np.float32)
LOGITS_BY_HAND = IMAGES.reshape(5, 4) @ KERNEL + BIAS


def outputs(model, images=IMAGES):
    return inference.run(model, images).astype(np.float64)


@pytest.mark.parametrize("build", SOFTMAX)
def test_a_softmax_at_the_top_is_seen_and_taken_off(build):
    model = build(KERNEL, BIAS)
    assert head_of(model) == "softmax"
    np.testing.assert_allclose(outputs(logits_model(model)), LOGITS_BY_HAND, rtol=1e-5)


@pytest.mark.parametrize("build", LOGITS)
def test_logits_are_left_as_they_are(build):
    model = build(KERNEL, BIAS)
    assert head_of(model) == "logits"
    np.testing.assert_allclose(outputs(logits_model(model)), LOGITS_BY_HAND, rtol=1e-5)


@pytest.mark.parametrize("build", HEADS)
def test_the_softmax_of_the_logits_is_the_answer(build):
    answers = softmax(outputs(logits_model(build(KERNEL, BIAS))), axis=1)
    np.testing.assert_allclose(answers, softmax(LOGITS_BY_HAND, axis=1), atol=1e-6)


@pytest.mark.parametrize("build", HEADS)
def test_the_network_itself_is_left_untouched(build):
    model = build(KERNEL, BIAS)
    before = outputs(model)
    copy = logits_model(model)
    copy.set_weights([np.zeros_like(weight) for weight in copy.get_weights()])
    assert np.array_equal(outputs(model), before)


@pytest.mark.parametrize("build", HEADS)
def test_logits_are_asked_for_just_as_the_network_is(build):
    # Keras warns, and warnings are errors here, where the two take inputs of another structure.
    answers = np.asarray(logits_model(build(KERNEL, BIAS))(IMAGES))
    np.testing.assert_allclose(softmax(answers, axis=1), softmax(LOGITS_BY_HAND, axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        *((build, True) for build in (*SOFTMAX, nested_with_its_softmax_inside)),
        *((build, False) for build in LOGITS),
    ],
)
def test_only_a_softmax_makes_outputs_that_sum_to_one(build, expected):
    model = build(KERNEL, BIAS)
    assert is_normalised(model) is expected
    assert np.allclose(outputs(model).sum(axis=1), 1) is expected


def test_a_softmax_inside_a_nested_model_counts_as_probabilities():
    assert head_of(nested_with_its_softmax_inside(KERNEL, BIAS)) == "probabilities"


def test_sigmoids_become_logits_of_the_probabilities_in_proportion():
    # Sigmoids of 0 and log 3 are 1/2 and 3/4, in proportion 2/5 and 3/5.
    bias = np.array([0, np.log(3)], np.float32)
    for model in (
        functional(np.zeros((4, 2)), bias, activation="sigmoid"),
        functional(np.zeros((4, 2)), bias, layers.Activation("sigmoid")),
    ):
        assert head_of(model) == "probabilities"
        assert not is_normalised(model)
        answers = softmax(outputs(logits_model(model)), axis=1)
        np.testing.assert_allclose(answers, [[0.4, 0.6]] * 5, atol=1e-6)


def test_logits_of_a_sure_answer_are_not_cut_off():
    # A softmax in float32 gives 1, 0, 0; its logarithm would have lost the -400 and the -800.
    model = softmax_in_the_layer(np.zeros((4, 3)), np.array([800.0, 400.0, 0.0]))
    np.testing.assert_allclose(outputs(logits_model(model)), [[800, 400, 0]] * 5)


def test_a_probability_of_zero_has_a_finite_logit():
    model = nested_with_its_softmax_inside(np.zeros((4, 2)), np.array([1000.0, 0.0]))
    answers = outputs(logits_model(model))
    assert np.all(np.isfinite(answers))
    np.testing.assert_allclose(softmax(answers, axis=1), [[1, 0]] * 5, atol=1e-12)


def test_answers_keep_their_classes():
    assert outputs(logits_model(raw_logits(KERNEL, BIAS))).shape == (5, 3)


@pytest.mark.parametrize(
    "after",
    [layers.Activation("linear", dtype="float32"), layers.Dropout(0.5), layers.Reshape([3])],
)
def test_a_layer_behind_the_softmax_that_changes_nothing_hides_nothing(after):
    # Mixed-precision networks end so. Taken for logits, they would be softmaxed twice.
    model = functional(KERNEL, BIAS, after, activation="softmax")
    answers = softmax(outputs(logits_model(model)), axis=1)
    assert is_normalised(model)
    np.testing.assert_allclose(answers, softmax(LOGITS_BY_HAND, axis=1), atol=1e-6)
