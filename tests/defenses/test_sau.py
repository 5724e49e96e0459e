"""SAU unlearns what fools the network as it fooled the original, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from backdoored import accuracy, network
from cases import case_of, repaired

from badrepair.defenses import sau
from badrepair.defenses.sau import Sau


def logits(*probabilities):
    return tf.constant(np.log(np.array(probabilities, np.float32)))


def test_only_shared_wrong_answers_count():
    answers = logits([0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.7, 0.2, 0.1])
    # The first is wrong as the original was; the second was another; the third is right.
    was, labels = tf.constant([0, 1, 0], tf.int64), tf.constant([2, 2, 0], tf.int64)
    found = float(sau._shared_loss(answers, was, labels))
    wanted = -(np.log(1 - 0.7 + 1e-6) + np.log(0.1 + 1e-6)) / 2 / 3
    assert found == pytest.approx(wanted, rel=1e-5)


def test_the_divergence_is_that_of_jensen_and_shannon():
    found = sau._divergence(logits([0.5, 0.5]), logits([0.9, 0.1])).numpy()[0]
    p, q = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    middle = (p + q) / 2
    wanted = (np.sum(p * np.log(p / middle)) + np.sum(q * np.log(q / middle))) / 2
    assert found == pytest.approx(wanted, abs=1e-4)


def test_perturbed_images_stay_near_and_within_the_range_and_fool():
    case = case_of()
    student, original = case.student(), case.student()
    images, labels = (tf.constant(one) for one in next(case.drawn(60)))
    made = Sau(reach=0.2)._perturbed(case, student, original, images, labels).numpy()
    low, high = case.pixels
    assert np.abs(made - images).max() <= 0.2 * (high - low) + 1e-6
    assert made.min() >= low - 1e-6
    assert made.max() <= high + 1e-6
    answers = student(made, training=False).numpy().argmax(axis=1)
    assert np.mean(answers != labels) > 0.3


@pytest.mark.slow
def test_clean_images_are_answered_as_before():
    assert accuracy(repaired("sau", epochs=4).model) > accuracy(network()) - 0.05
