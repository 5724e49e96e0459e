"""A drawn trigger is put where the mask says, and is the same whatever else is in the batch."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from badrepair.poisoning import generator
from badrepair.poisoning.drawn_trigger import DrawnTrigger, frozen, stamp, steep


def brightest_turns_white():
    """Return a trigger that covers the brightest pixel of an image with white."""

    def draw(images):
        top = tf.reduce_max(images, axis=(1, 2, 3), keepdims=True)
        return tf.cast(images == top, images.dtype), tf.ones_like(images)

    return DrawnTrigger(draw=draw)


def pictures(*rows):
    return np.array(rows, np.uint8)[:, np.newaxis, :, np.newaxis]


def values(images):
    return images[:, 0, :, 0].tolist()


def test_an_image_gets_its_own_trigger_where_its_own_mask_is():
    assert values(brightest_turns_white().own(pictures([1, 9, 2], [8, 3, 4]))) == [
        [1, 255, 2],
        [255, 3, 4],
    ]


def test_crossed_it_gets_the_trigger_of_another_where_that_one_has_its_mask():
    images, lent = pictures([1, 9, 2], [8, 3, 4]), pictures([0, 0, 7], [0, 6, 0])
    assert values(brightest_turns_white().crossed(images, lent)) == [[1, 9, 255], [8, 255, 4]]


def test_a_mask_mixes_image_and_pattern():
    # .75 * 100 + .25 * 200 = 125.
    assert stamp(np.array([100.0]), np.array([0.25]), np.array([200.0])).tolist() == [125.0]


def test_a_mask_is_nearly_black_and_white():
    # 1 / (1 + e^-4) = 0.982.
    found = steep(tf.constant([0.0, 0.4, 0.5, 0.6, 1.0], tf.float64)).numpy()
    assert found == pytest.approx([2e-9, 0.01799, 0.5, 0.98201, 1], abs=1e-5)


@pytest.fixture(scope="module")
def untrained():
    return [generator.build((9, 7, 3), channels, seed=channels) for channels in (1, 3)]


def test_the_pixels_of_an_image_are_the_same_whatever_else_is_in_the_batch(untrained):
    trigger = frozen(*untrained)
    images = np.random.default_rng(0).integers(0, 256, (103, 9, 7, 3), np.uint8)
    together = trigger.own(images)
    for rows in (slice(0, 1), slice(99, 103), slice(3, 60)):
        assert np.array_equal(trigger.own(images[rows]), together[rows])
    assert together.dtype == np.uint8
    assert trigger.own(images[:0]).shape == (0, 9, 7, 3)


def test_what_the_networks_learn_later_no_longer_counts(untrained):
    images = np.full((1, 9, 7, 3), 90, np.uint8)
    trigger = frozen(*untrained)
    before = trigger.own(images)
    for network in untrained:
        network.set_weights([weight + 1 for weight in network.get_weights()])
    assert np.array_equal(trigger.own(images), before)
    assert not np.array_equal(frozen(*untrained).own(images), before)
