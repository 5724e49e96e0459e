"""Perturbed images climb the loss, and never further than they may."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from badrepair.poisoning.perturbing import perturbed


def brightness(slope=1.0):
    """Return a network that says 0 to bright images and 1 to dark ones."""
    network = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    network.set_weights([np.tile([[slope, -slope]], (4, 1)), np.zeros(2)])
    return network


def grey(value, n=1):
    return np.full((n, 2, 2, 1), value, np.uint8)


def moved(images, label=0, eps=10, steps=5, seed=0, slope=1.0):
    labels = np.full(len(images), label)
    return perturbed(brightness(slope), images, labels, eps=eps, steps=steps, seed=seed)


def test_a_bright_image_is_darkened_and_a_dark_one_brightened_by_all_that_is_allowed():
    # The loss is monotone in every pixel, and the steps reach across the ball from any start.
    assert moved(grey(100), label=0).ravel().tolist() == [90] * 4
    assert moved(grey(100), label=1).ravel().tolist() == [110] * 4


@pytest.mark.parametrize(("value", "label", "end"), [(4, 0, 0), (251, 1, 255)])
def test_pixels_end_at_black_and_white(value, label, end):
    assert moved(grey(value), label).ravel().tolist() == [end] * 4


def test_one_step_is_two_and_a_half_times_the_bound_and_projected():
    assert moved(grey(100), steps=1).ravel().tolist() == [90] * 4


def test_an_answer_without_any_doubt_has_a_slope_all_the_same():
    # The logits are 40 apart: the probability is 1 to the last digit.
    assert moved(grey(255), slope=5.0).ravel().tolist() == [245] * 4


def test_the_seed_decides_where_an_image_ends_on_which_nothing_depends():
    # Without a slope it stays at its random start, within the bound.
    ends = [moved(grey(100, n=3), seed=seed, slope=0.0) for seed in (3, 3, 4)]
    assert np.array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])
    assert ends[0].min() >= 90
    assert ends[0].max() <= 110
    assert len(np.unique(ends[0])) > 3


def test_images_beyond_one_call_are_perturbed_as_well_and_the_given_ones_are_left_alone():
    images = grey(100, n=201)
    images.setflags(write=False)
    found = moved(images)
    assert found.dtype == np.uint8
    assert np.all(found == 90)
    assert np.all(images == 100)


def test_no_images_are_no_trouble():
    assert moved(grey(0, n=0)).shape == (0, 2, 2, 1)
