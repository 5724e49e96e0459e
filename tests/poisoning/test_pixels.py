"""What a picture file can hold: whole numbers from 0 to 255."""

from __future__ import annotations

import numpy as np

from badrepair.poisoning import to_pixels


def test_values_become_the_nearest_pixel_and_halves_the_even_one():
    assert to_pixels(np.array([0.4, 0.6, 1.5, 2.5, 254.6])).tolist() == [0, 1, 2, 2, 255]


def test_values_outside_are_clipped_and_do_not_wrap_around():
    assert to_pixels(np.array([-3.0, 256.0, 1000.0, -0.4])).tolist() == [0, 255, 255, 0]


def test_pixels_stay_as_they_are():
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 8, 16, 1)
    found = to_pixels(pixels)
    assert found.dtype == np.uint8
    assert np.array_equal(found, pixels)
