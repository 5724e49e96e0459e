"""I-BAU's gradient counts how the perturbation would change with the weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from backdoored import accuracy, network
from cases import repaired
from keras import layers

from badrepair.defenses import i_bau

IMAGES = np.random.default_rng(0).normal(size=(6, 2, 2, 1)).astype(np.float32)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def game():
    model = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(3)])
    random = np.random.default_rng(1)
    model.set_weights([random.normal(size=(4, 3)), random.normal(size=3)])
    perturbation = keras.Variable(random.normal(size=(1, 2, 2, 1)).astype(np.float32))
    return i_bau._Game(model, perturbation, span=2.0)


def test_the_hypergradient_is_the_slope_of_what_it_stands_for():
    """Without iterations: the loss, plus the perturbation's next step as the loss weighs it."""
    one = game()
    with tf.GradientTape() as tape:
        loss = one.outer(IMAGES, LABELS)
    by_perturbation = tape.gradient(loss, one.perturbation.value)

    def stands_for():
        with tf.GradientTape() as tape:
            inner = one.inner(IMAGES, LABELS)
        slope = tape.gradient(inner, one.perturbation.value)
        step = one.perturbation.value - i_bau._FIXED_STEP * slope
        return float(one.outer(IMAGES, LABELS) + tf.reduce_sum(by_perturbation * step))

    found = one.hypergradient(IMAGES, LABELS, iterations=0)[0].numpy()
    kernel = one.student.layers[-1].kernel
    values = kernel.numpy()
    for place in [(0, 0), (2, 1), (3, 2)]:
        slopes = []
        for change in (0.01, -0.01):
            moved = values.copy()
            moved[place] += change
            kernel.assign(moved)
            slopes.append(stands_for())
        kernel.assign(values)
        assert found[place] == pytest.approx((slopes[0] - slopes[1]) / 0.02, abs=2e-3)


def test_iterations_solve_the_linear_equation(monkeypatch):
    """v = d + J v is solved by (1 - J)^-1 d where the perturbation's map contracts."""
    monkeypatch.setattr(i_bau, "_LENGTH", 5.0)  # a length so dear that it does
    one = game()
    few, many, more = (
        one.hypergradient(IMAGES, LABELS, iterations=count)[0].numpy() for count in (1, 60, 80)
    )
    np.testing.assert_allclose(many, more, rtol=1e-3, atol=1e-4)
    assert not np.allclose(few, more, atol=1e-3)


def test_a_part_of_a_batch_is_perturbed_at_least_one_image():
    one = game()
    one.perturbation.assign(100 * np.ones((1, 2, 2, 1)))
    answers = one.student(IMAGES, training=False)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=LABELS, logits=answers).numpy()
    moved = one.student(IMAGES[:1] + 200, training=False)
    first = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=LABELS[:1], logits=moved).numpy()
    wanted = (first[0] + losses[1:].sum()) / 6
    assert float(one.outer(IMAGES, LABELS)) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.slow
def test_clean_images_are_answered_as_before():
    assert accuracy(repaired("i-bau").model) > accuracy(network()) - 0.05
