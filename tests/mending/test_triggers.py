"""Families of triggers stay within their bounds, and can be trained."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from badrepair.mending.triggers.additive import Additive
from badrepair.mending.triggers.patch import Patch
from badrepair.mending.triggers.warp import Warp, bent

SHAPE = (6, 8, 3)
IMAGES = np.random.default_rng(0).uniform(0.2, 0.8, (5, *SHAPE)).astype(np.float32)
WHICH = np.array([0, 1, 1, 0, 1])
FAMILIES = {
    "additive": lambda: Additive(2, SHAPE, (0.0, 1.0)),
    "patch": lambda: Patch(2, SHAPE, (0.0, 1.0)),
    "warp": lambda: Warp(2, SHAPE),
}


@pytest.fixture(params=FAMILIES)
def family(request):
    return FAMILIES[request.param]()


def test_triggered_images_are_pixels_of_the_same_shape(family):
    for variable in family.variables:
        variable.assign(100 * np.sign(variable.numpy()))
    made = family.stamped(IMAGES, WHICH).numpy()
    assert made.shape == IMAGES.shape
    assert made.min() >= 0
    assert made.max() <= 1


def test_every_suspect_has_a_trigger_of_its_own(family):
    same = np.repeat(IMAGES[:1], 5, axis=0)
    made = family.stamped(same, WHICH).numpy()
    np.testing.assert_array_equal(made[0], made[3])
    np.testing.assert_array_equal(made[1], made[4])
    assert not np.allclose(made[0], made[1])


def test_only_the_trigger_that_was_used_has_a_gradient(family):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(family.stamped(IMAGES, np.ones(5, np.int64)) ** 2)
    for gradient in tape.gradient(loss, [one.value for one in family.variables]):
        values = tf.convert_to_tensor(gradient).numpy()
        assert not np.any(values[0])
        assert np.any(values[1])


def test_an_addition_moves_a_pixel_by_its_part_of_the_range_at_most():
    family = Additive(1, (1, 2, 1), (10.0, 30.0), size=0.25)
    family.variables[0].assign(np.array([[[[50.0], [-50.0]]]]))
    made = family.stamped(np.array([[[[20.0], [29.0]]], [[[28.0], [11.0]]]], np.float32), [0, 0])
    # A quarter of a range of 20 is 5; what would leave the range ends at its edge.
    np.testing.assert_allclose(made.numpy().ravel(), [25, 24, 30, 10])


def test_a_pixel_beyond_the_range_finds_back():
    family = Additive(1, (1, 1, 1), (0.0, 1.0), size=1.0)
    family.variables[0].assign(np.array([[[[-0.5]]]]))
    with tf.GradientTape() as tape:
        made = tf.reduce_sum(family.stamped(np.zeros((1, 1, 1, 1), np.float32), [0]))
    (gradient,) = tape.gradient(made, [family.variables[0].value])
    assert float(made) == 0
    assert np.all(tf.convert_to_tensor(gradient).numpy() > 0)


def test_a_patch_covers_as_its_mask_says():
    family = Patch(1, (1, 3, 1), (0.0, 10.0))
    mask, pattern = family.variables
    mask.assign(np.array([[[[100.0], [0.0], [-100.0]]]]))
    pattern.assign(np.array([[[[0.0], [100.0], [100.0]]]]))
    made = family.stamped(np.full((1, 1, 3, 1), 2.0, np.float32), [0])
    # Covered by half the range; half covered by 10; not covered.
    np.testing.assert_allclose(made.numpy().ravel(), [5, 6, 2], atol=1e-5)


def test_a_patch_is_too_large_by_what_it_covers_beyond_its_area():
    family = Patch(2, (1, 4, 1), (0.0, 1.0), area=0.25)
    family.variables[0].assign(
        np.array([[[[99.0]] * 4], [[[99.0], [-99.0], [-99.0], [-99.0]]]])[:, 0][:, None]
    )
    # One covers all, 0.75 too much; the other a quarter, which is allowed.
    assert float(family.excess()) == pytest.approx(0.375, abs=1e-6)


def test_the_others_are_never_too_large():
    assert float(FAMILIES["additive"]().excess()) == 0
    assert float(FAMILIES["warp"]().excess()) == 0


def test_a_field_of_whole_pixels_shifts_the_image_and_repeats_its_edge():
    field = np.broadcast_to(np.array([1.0, -1.0], np.float32), (5, 6, 8, 2))
    made = bent(IMAGES, field).numpy()
    np.testing.assert_allclose(made[:, :-1, 1:], IMAGES[:, 1:, :-1], atol=1e-6)
    np.testing.assert_allclose(made[:, -1, 1:], IMAGES[:, -1, :-1], atol=1e-6)
    np.testing.assert_allclose(made[:, :-1, 0], IMAGES[:, 1:, 0], atol=1e-6)


def test_half_a_pixel_is_the_mean_of_two():
    field = np.broadcast_to(np.array([0.0, 0.5], np.float32), (5, 6, 8, 2))
    made = bent(IMAGES, field).numpy()
    np.testing.assert_allclose(
        made[:, :, :-1], (IMAGES[:, :, 1:] + IMAGES[:, :, :-1]) / 2, atol=1e-6
    )


def test_no_field_changes_nothing():
    np.testing.assert_allclose(bent(IMAGES, np.zeros((5, 6, 8, 2), np.float32)), IMAGES, atol=1e-6)
