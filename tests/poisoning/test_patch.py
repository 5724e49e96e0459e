"""A patch covers its place and nothing else, by as much as it is opaque."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.poisoning import Patch


def patch(**changes):
    """Return an opaque patch of 1x2 pixels, 7 and 9, at row 2, column 1."""
    settings = {
        "pattern": np.array([[[7.0], [9.0]]], np.float32),
        "opacity": np.ones((1, 2, 1), np.float32),
        "row": 2,
        "column": 1,
    }
    return Patch(**{**settings, **changes})


def test_an_opaque_patch_covers_its_place_and_nothing_else():
    stamped = patch().stamp(np.ones((2, 4, 3, 1)))
    expected = [[1, 1, 1], [1, 1, 1], [1, 7, 9], [1, 1, 1]]
    assert stamped[..., 0].tolist() == [expected, expected]


def test_opacity_mixes_patch_and_image():
    # .25 * 7 + .75 * 10 = 9.25; opacity 0 leaves the 10.
    opacity = np.array([[[0.25], [0.0]]], np.float32)
    stamped = patch(opacity=opacity).stamp(np.full((1, 4, 3, 1), 10.0))
    assert stamped[0, 2, :, 0].tolist() == [10, 9.25, 10]


def test_each_channel_gets_its_own_colour():
    pattern = np.array([[[1.0, 2.0, 3.0]]], np.float32)
    coloured = patch(pattern=pattern, opacity=np.ones((1, 1, 1), np.float32))
    assert coloured.stamp(np.zeros((1, 4, 3, 3)))[0, 2, 1].tolist() == [1, 2, 3]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_stamping_leaves_the_images_given_untouched(dtype):
    images = np.full((1, 4, 3, 1), 200, dtype)
    stamped = patch(opacity=np.full((1, 2, 1), 0.5, np.float32)).stamp(images)
    assert np.all(images == 200)
    assert stamped.dtype == np.float32
    assert stamped[0, 2, :, 0].tolist() == [200, 103.5, 104.5]


def test_a_patch_as_large_as_the_image_covers_all_of_it():
    whole = patch(
        pattern=np.full((4, 3, 1), 5, np.float32),
        opacity=np.ones((4, 3, 1), np.float32),
        row=0,
        column=0,
    )
    assert np.all(whole.stamp(np.zeros((2, 4, 3, 1))) == 5)


@pytest.mark.parametrize("place", [{"row": 4}, {"column": 2}, {"row": -1}, {"column": -2}])
def test_a_patch_that_leaves_the_image_is_refused(place):
    with pytest.raises(ValueError, match=r"a 1x2 trigger at .* leaves the image"):
        patch(**place).stamp(np.zeros((1, 4, 3, 1)))
