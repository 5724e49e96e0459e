"""Copies of an image are found wherever they stand, and count once."""

from __future__ import annotations

import numpy as np

from badrepair.copies import distinct
from badrepair.types import Dataset

IMAGES = np.random.default_rng(0).random((250, 3, 2, 1)).astype(np.float32)


def dataset(rows):
    rows = np.asarray(rows)
    return Dataset(images=IMAGES[rows], labels=rows % 7, true_labels=rows % 5, name="some")


def test_of_each_image_the_first_is_kept_with_its_labels():
    kept = distinct(dataset([5, 3, 5, 8, 3, 3, 9]))
    assert np.array_equal(kept.images[:], IMAGES[[5, 3, 8, 9]])
    assert kept.labels.tolist() == [5, 3, 1, 2]
    assert kept.true_labels.tolist() == [0, 3, 3, 4]


def test_copies_are_found_far_from_each_other():
    kept = distinct(dataset([*range(250), *range(250)]))
    assert np.array_equal(kept.images[:], IMAGES)


def test_without_copies_nothing_is_changed():
    whole = dataset(range(20))
    assert distinct(whole) is whole


def test_images_that_stand_elsewhere_are_left_out():
    kept = distinct(dataset([1, 2, 3, 3, 4]), beside=dataset([2, 4, 100]))
    assert np.array_equal(kept.images[:], IMAGES[[1, 3]])
    assert not len(distinct(dataset([1, 2]), beside=dataset([2, 1])))


def test_one_pixel_makes_another_image():
    images = np.repeat(IMAGES[:1], 3, axis=0)
    images[1, 2, 1, 0] = np.nextafter(images[1, 2, 1, 0], np.float32(2))
    kept = distinct(Dataset(images=images, labels=np.zeros(3, np.int64)))
    assert len(kept) == 2
