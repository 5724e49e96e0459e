"""A pattern shines through an image by as much as it is opaque."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from badrepair.errors import InputMissingError
from badrepair.poisoning.blending import blend, blend_pattern


def test_a_blend_is_a_weighted_mean():
    # .75 * 100 + .25 * 20 and .75 * 100 + .25 * 220
    pattern = np.array([[[20], [220]]], np.float32)
    assert blend(np.full((1, 1, 2, 1), 100, np.uint8), pattern, 0.25).ravel().tolist() == [80, 130]


def test_the_opacity_may_differ_from_image_to_image():
    opacity = np.array([0, 1], np.float32).reshape(2, 1, 1, 1)
    mixed = blend(np.full((2, 1, 1, 3), 100, np.uint8), np.full((1, 1, 3), 7, np.float32), opacity)
    assert mixed[:, 0, 0].tolist() == [[100] * 3, [7] * 3]


def test_blending_leaves_the_images_given_untouched():
    images = np.full((1, 2, 2, 1), 9, np.float32)
    blend(images, np.zeros((2, 2, 1), np.float32), 1)
    assert np.all(images == 9)


def test_noise_has_all_values_about_equally_often():
    noise = blend_pattern("noise", (160, 160, 3), 0)
    assert (noise.shape, noise.dtype) == ((160, 160, 3), np.float32)
    counts = np.bincount(noise.astype(int).ravel())
    # 300 of each are expected, with a deviation of 17.
    assert len(counts) == 256
    assert counts.min() > 200
    assert counts.max() < 400


def test_the_seed_fixes_the_noise():
    first, again, other = (blend_pattern("noise", (4, 4, 1), seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_picture_takes_the_size_of_the_image(tmp_path):
    Image.new("RGB", (7, 5), (10, 20, 30)).save(tmp_path / "plain.png")
    pattern = blend_pattern(str(tmp_path / "plain.png"), (3, 4, 3), 0)
    assert pattern.shape == (3, 4, 3)
    assert np.all(pattern == [10, 20, 30])


def test_a_missing_picture_is_missing(tmp_path):
    with pytest.raises(InputMissingError):
        blend_pattern(str(tmp_path / "none.png"), (3, 4, 3), 0)
