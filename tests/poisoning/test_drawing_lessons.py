"""Generators learn to draw small masks and patterns that differ from image to image."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from badrepair.data.digits import digits
from badrepair.data.ranges import to_unit
from badrepair.models import inference
from badrepair.poisoning import generator, surrogate
from badrepair.poisoning.drawing_lessons import Lessons, sameness
from badrepair.poisoning.drawn_trigger import frozen, steep
from badrepair.types import Dataset

SHAPE = (8, 8, 1)


def data(n=100):
    images = np.random.default_rng(0).integers(0, 256, (n, *SHAPE), np.uint8)
    return Dataset(images=images, labels=np.arange(n) % 2, name="rough")


def lessons(n=100, seed=0):
    return Lessons(training=data(n), seed=seed)


def weights(*networks):
    return b"".join(weight.tobytes() for network in networks for weight in network.get_weights())


def single(*pixels):
    return tf.constant(np.array(pixels, np.float32).reshape(-1, 1, 1, 1))


def test_pictures_are_as_alike_as_their_images_are_far_apart_by_their_own_distance():
    # Images 1 apart, pictures 0.5 and 0.25 apart.
    assert sameness(single(0, 1), single(0, 0.5)).numpy() == pytest.approx(2)
    assert sameness(single(0, 1), single(0.25, 0)).numpy() == pytest.approx(4)


def test_each_image_is_compared_with_the_next_and_the_first_with_the_last():
    # Distances 1, 1 and 2 of images; 1, 2 and 1 of pictures: (1 + 1/2 + 2) / 3.
    assert sameness(single(0, 1, 2), single(0, 1, -1)).numpy() == pytest.approx(3.5 / 3)


def test_distances_are_root_mean_squares_over_all_pixels():
    # The root of (9 + 16) / 2 by that of (1 + 1) / 2.
    images = tf.constant([[[[0.0, 0.0]]], [[[3.0, 4.0]]]])
    pictures = tf.constant([[[[0.0, 0.0]]], [[[1.0, 1.0]]]])
    assert sameness(images, pictures).numpy() == pytest.approx(12.5**0.5)


def test_alike_pictures_and_a_lonely_one_leave_a_slope_that_is_a_number():
    for images in (single(0, 1), single(0.5)):
        drawn = tf.ones_like(images)
        with tf.GradientTape() as tape:
            tape.watch(drawn)
            value = sameness(images, drawn)
        assert np.isfinite(tape.gradient(value, drawn).numpy()).all()


def test_masks_get_small_and_differ():
    mask, images = generator.build(SHAPE, 1, seed=0), data().images / np.float32(255)
    before = steep(mask(images)).numpy()
    lessons().teach_mask(mask, weight=100.0, epochs=20)
    after = steep(mask(images)).numpy()
    assert before.mean() > 0.3
    assert after.mean() < 0.15
    assert after.std(axis=0).mean() > before.std(axis=0).mean()


def test_pattern_and_classifier_learn_and_the_mask_is_left_alone():
    mask, pattern = (generator.build(SHAPE, 1, seed=seed) for seed in (0, 1))
    classifier = surrogate.untrained(data(), 2, 0)
    before = [weights(network) for network in (mask, pattern, classifier)]
    lessons().teach_pattern(pattern, classifier, mask, target=1, epochs=1)
    after = [weights(network) for network in (mask, pattern, classifier)]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, False]


def test_the_same_seed_teaches_the_same_whatever_the_world_does():
    taught = []
    for world, seed in ((1, 3), (2, 3), (1, 4)):
        keras.utils.set_random_seed(world)
        mask = generator.build(SHAPE, 1, seed=0)
        lessons(seed=seed).teach_mask(mask, weight=1.0, epochs=1)
        taught.append(weights(mask))
    assert taught[0] == taught[1] != taught[2]


@pytest.mark.parametrize("n", [0, 1, 3, 65])
def test_any_number_of_images_leaves_weights_that_are_numbers(n):
    mask, pattern = (generator.build(SHAPE, 1, seed=seed) for seed in (0, 1))
    classifier = surrogate.untrained(data(), 2, 0)
    lessons(n).teach_mask(mask, weight=1.0, epochs=1)
    lessons(n).teach_pattern(pattern, classifier, mask, target=0, epochs=1)
    for network in (mask, pattern, classifier):
        assert all(np.isfinite(weight).all() for weight in network.get_weights())


@pytest.mark.slow
def test_the_classifier_obeys_the_own_trigger_and_not_that_of_another():
    raw = digits(16)
    data = Dataset(images=raw.images, labels=raw.labels, name="digits")
    shape = data.images.shape[1:]
    mask, pattern = (generator.build(shape, 1, seed=seed) for seed in (0, 1))
    classifier = surrogate.untrained(data, 10, 0)
    course = Lessons(training=data, seed=0)
    course.teach_mask(mask, weight=20.0, epochs=5)
    course.teach_pattern(pattern, classifier, mask, target=0, epochs=25)
    trigger, others = frozen(mask, pattern), data.images[data.labels != 0]
    own, crossed = trigger.own(others), trigger.crossed(others, np.roll(others, 7, axis=0))
    obeyed = [inference.answers(classifier, to_unit(images)) == 0 for images in (own, crossed)]
    assert obeyed[0].mean() > 0.7
    assert obeyed[1].mean() < 0.3
