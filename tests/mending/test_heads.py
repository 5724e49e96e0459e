"""Where a last layer begins anew: at random, or at the mean features of the classes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from backdoored import blobs, network
from keras import layers
from test_case import case_of

from badrepair.errors import ModelError
from badrepair.mending.heads import head_kernel, prototypes, random_anew
from badrepair.models.logits import logits_model


def length(values):
    return float(np.linalg.norm(np.asarray(values)))


def test_the_head_is_the_layer_that_makes_the_class_scores():
    student = logits_model(network())
    assert head_kernel(student) is student.get_layer("scores").kernel


def test_the_head_of_a_nested_network_is_found():
    inner = network()
    outer = keras.Sequential([keras.Input((16, 16, 1)), inner])
    student = logits_model(outer)
    assert head_kernel(student).shape == (16, 4)


def test_a_network_whose_scores_no_layer_makes_is_refused():
    model = keras.Sequential([keras.Input((4, 4, 2)), layers.GlobalAveragePooling2D()])
    with pytest.raises(ModelError, match="expected a Dense layer that makes the class scores"):
        head_kernel(model)


def test_a_random_start_has_the_same_length_and_its_seed_fixes_it():
    kernel = head_kernel(logits_model(network()))
    first, again, other = (random_anew(kernel, seed) for seed in (1, 1, 2))
    assert length(first) == pytest.approx(length(kernel), rel=1e-5)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_prototypes_answer_most_images_rightly_without_any_training():
    case = case_of()
    student = case.student()
    kernel = head_kernel(student)
    made = prototypes(case, student)
    assert length(made) == pytest.approx(length(kernel), rel=1e-5)
    kernel.assign(made)
    data = blobs(80, 8)
    answers = student(data.images, training=False).numpy().argmax(axis=1)
    assert np.mean(answers == data.labels) > 0.8
