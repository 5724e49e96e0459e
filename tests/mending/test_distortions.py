"""Everyday damage keeps images within their range, and is the same for the same seed."""

from __future__ import annotations

import numpy as np

from badrepair.mending.distortions import MOST_STEPS, distorted, mixed_up

IMAGES = np.random.default_rng(0).uniform(-1, 3, (40, 6, 6, 2)).astype(np.float32)
PIXELS = (-1.0, 3.0)


def test_an_image_has_few_levels_in_its_range():
    made = distorted(IMAGES, PIXELS, np.array([1, 2])).numpy()
    for image in made:
        levels = np.unique(np.round(image, 4))
        assert len(levels) <= MOST_STEPS
        assert levels.min() >= -1
        assert levels.max() <= 3


def test_images_differ_in_how_coarse_they_are():
    made = distorted(IMAGES, PIXELS, np.array([1, 2])).numpy()
    assert len({len(np.unique(np.round(image, 4))) for image in made}) > 3


def test_a_seed_fixes_what_happens():
    first, again, other = (distorted(IMAGES, PIXELS, np.array(s)) for s in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_mixture_lies_between_its_two_images():
    made = mixed_up(IMAGES, np.array([1, 2])).numpy()
    low, high = (f(IMAGES, np.roll(IMAGES, 1, axis=0)) for f in (np.minimum, np.maximum))
    assert np.all(made >= low - 1e-5)
    assert np.all(made <= high + 1e-5)
    shares = (made - np.roll(IMAGES, 1, axis=0)) / (IMAGES - np.roll(IMAGES, 1, axis=0))
    spread = np.ptp(np.median(shares, axis=(1, 2, 3)))
    assert spread > 0.5
