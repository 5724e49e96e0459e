"""FT-SAM takes the gradient at the worst place near the weights, relative to their size."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from backdoored import accuracy, network
from cases import case_of, repaired
from keras import layers
from scipy.special import log_softmax, softmax

from badrepair.defenses.ft_sam import FtSam
from badrepair.errors import OptionError
from badrepair.types import Dataset

KERNEL, BIAS = np.array([[0.5, -1.0]]), np.array([0.2, -0.1])
INPUTS, LABELS = np.array([[2.0], [-1.0]]), np.array([0, 1])
SMOOTH = np.array([[0.95, 0.05], [0.05, 0.95]])


def gradient(kernel, bias):
    """Return the gradient of the smoothed cross-entropy by hand: (p - y) x / n."""
    errors = (softmax(INPUTS @ kernel + bias, axis=1) - SMOOTH) / 2
    return INPUTS.T @ errors, errors.sum(axis=0)


def loss(kernel, bias):
    return -np.mean(np.sum(SMOOTH * log_softmax(INPUTS @ kernel + bias, axis=1), axis=1))


def test_one_step_is_that_of_the_paper():
    model = keras.Sequential([keras.Input((1, 1, 1)), layers.Flatten(), layers.Dense(2)])
    model.set_weights([KERNEL, BIAS])
    images = np.tile(INPUTS.reshape(2, 1, 1, 1), (5, 1, 1, 1)).astype(np.float32)
    case = case_of(model, Dataset(images=images, labels=np.tile(LABELS, 5)))
    student = case.student()
    step = FtSam(learning_rate=0.1)._step(student, radius=0.3, steps=1000)
    step(images[:2], LABELS)
    sized = [np.abs(w) * g for w, g in zip((KERNEL, BIAS), gradient(KERNEL, BIAS), strict=True)]
    norm = np.sqrt(sum(np.sum(s**2) for s in sized))
    worst = [w + 0.3 * np.abs(w) * s / norm for w, s in zip((KERNEL, BIAS), sized, strict=True)]
    assert loss(*worst) > loss(KERNEL, BIAS)
    for found, before, slope in zip(
        student.get_weights(), (KERNEL, BIAS), gradient(*worst), strict=True
    ):
        np.testing.assert_allclose(found, before - 0.1 * slope, rtol=1e-4)


@pytest.mark.slow
def test_clean_images_are_answered_as_before():
    result = repaired("ft-sam", epochs=5)
    assert accuracy(result.model) > accuracy(network()) - 0.05
    assert {row["radius"] for row in result.choices["candidates"]} == {0.5, 1.0, 2.0}


@pytest.mark.parametrize("radii", [(), (0.0,), (1.0, -1.0)])
def test_radii_that_make_no_sense_are_refused(radii):
    with pytest.raises(OptionError, match="--radii"):
        FtSam(radii=radii)
