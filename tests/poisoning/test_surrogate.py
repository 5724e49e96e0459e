"""The attacker's own network begins from its seed alone, and learns."""

from __future__ import annotations

import random

import numpy as np
import pytest

from badrepair.data.ranges import to_unit
from badrepair.errors import DataError
from badrepair.poisoning import surrogate
from badrepair.types import Dataset


def halves(n=64, shape=(16, 16, 1)):
    """Return images whose upper half (0) or lower half (1) is bright."""
    labels = np.arange(n) % 2
    images = np.random.default_rng(0).integers(0, 60, (n, *shape), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[label * 8 : label * 8 + 8] += 150
    return Dataset(images=images, labels=labels, name="halves")


def weights(network):
    return b"".join(weight.tobytes() for weight in network.get_weights())


def test_a_few_passes_teach_it_what_the_images_show():
    data = halves()
    network = surrogate.trained(data, 2, epochs=8, seed=0)
    answers = network(to_unit(data.images.astype(np.float32))).numpy()
    assert answers.argmax(axis=1).tolist() == data.labels.tolist()


def test_it_answers_logits():
    answers = surrogate.untrained(halves(), 3, 0)(np.ones((5, 16, 16, 1), np.float32)).numpy()
    assert answers.shape == (5, 3)
    assert answers.min() < 0


def test_the_seed_decides_about_its_weights_whatever_the_world_does():
    made = []
    for world, seed in ((1, 3), (2, 3), (1, 4)):
        random.seed(world)
        made.append(weights(surrogate.untrained(halves(), 2, seed)))
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize("shape", [(8, 8, 1), (55, 47, 3)])
def test_images_of_all_sizes_from_eight_pixels_on_will_do(shape):
    network = surrogate.untrained(halves(shape=shape), 2, 0)
    assert network.input_shape == (None, *shape)


def test_images_that_are_too_small_are_refused():
    with pytest.raises(DataError, match=r"images of 8 x 8 or more, found 9 x 7") as caught:
        surrogate.untrained(halves(shape=(9, 7, 1)), 2, 0)
    assert (caught.value.code, caught.value.where) == ("ImagesTooSmall", "halves")
