"""The embedded digits."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from badrepair.data.digits import digits


def test_there_are_1797_grey_images_of_the_size_asked_for():
    raw = digits(24)
    assert raw.images.shape == (1797, 24, 24, 1)
    assert raw.images.dtype == np.uint8
    assert (raw.images.min(), raw.images.max()) == (0, 255)
    assert np.bincount(raw.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_at_their_own_size_the_digits_are_the_originals_times_255_by_16():
    images = digits(8).images[..., 0]
    assert np.array_equal(images, np.round(load_digits().images * 255 / 16))


def test_enlarging_keeps_what_is_bright_bright():
    small, large = digits(8).images[..., 0], digits(24).images[:, 1::3, 1::3, 0]
    assert np.abs(small.astype(float) - large).mean() < 10
