"""Images that are overlays to the last bit are found, and no others."""

from __future__ import annotations

import numpy as np

from badrepair.detectors.sameness import Sameness

KNOWN = np.random.default_rng(0).random((6, 4, 3, 2)).astype(np.float32)


def test_each_image_is_itself_and_no_other():
    assert Sameness(KNOWN).of(KNOWN).tolist() == np.eye(6, dtype=bool).tolist()


def test_one_bit_makes_another_image():
    other = KNOWN.copy()
    other[2, 0, 0, 0] = np.nextafter(other[2, 0, 0, 0], np.float32(2))
    assert Sameness(KNOWN).of(other).sum(axis=1).tolist() == [1, 1, 0, 1, 1, 1]


def test_an_image_may_be_several_overlays_at_once():
    assert Sameness(KNOWN[[1, 3, 1]]).of(KNOWN[1:2]).tolist() == [[True, False, True]]


def test_black_images_are_all_the_same():
    black = np.zeros((2, 4, 3, 2), np.float32)
    assert Sameness(np.concatenate([black, KNOWN])).of(black).sum(axis=1).tolist() == [2, 2]


def test_pixels_moved_to_another_place_make_another_image():
    assert not Sameness(KNOWN).of(KNOWN[:, ::-1]).any()


def test_pixels_beyond_what_can_be_summed_are_no_overlay():
    assert not Sameness(KNOWN).of(np.full((1, 4, 3, 2), 3e38, np.float32)).any()


def test_the_number_of_images_at_once_changes_nothing():
    random = np.random.default_rng(1)
    known = random.random((100, 55, 47, 3)).astype(np.float32)
    one_by_one = [Sameness(known).of(known[row : row + 1])[0] for row in range(0, 100, 7)]
    assert np.array_equal(one_by_one, np.eye(100, dtype=bool)[::7])
