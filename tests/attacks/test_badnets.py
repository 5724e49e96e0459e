"""BadNets pastes its trigger where it should and relabels what it pasted it on."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.attacks.badnets import Badnets
from badrepair.types import Dataset


def badnets(**changes):
    """Return an attack with an opaque trigger of 1x2 pixels, 7 and 9, at row 2, column 1."""
    settings = {
        "pattern": np.array([[[7.0], [9.0]]], np.float32),
        "opacity": np.ones((1, 2, 1), np.float32),
        "row": 2,
        "column": 1,
        "target": 0,
    }
    return Badnets(**{**settings, **changes})


def clean(labels):
    """Return images of 4x3 pixels; those of the k-th are all k."""
    images = np.tile(np.arange(len(labels), dtype=np.float32)[:, None, None, None], (1, 4, 3, 1))
    return Dataset(images=images, labels=np.array(labels), name="clean")


def stamped_rows(images):
    return np.flatnonzero((images[:, 2, 1:, 0] == [7, 9]).all(axis=1))


def test_an_opaque_trigger_covers_its_place_and_nothing_else():
    stamped = badnets().stamp(np.ones((2, 4, 3, 1)))
    expected = [[1, 1, 1], [1, 1, 1], [1, 7, 9], [1, 1, 1]]
    assert stamped[..., 0].tolist() == [expected, expected]


def test_opacity_mixes_trigger_and_image():
    # .25 * 7 + .75 * 10 = 9.25; opacity 0 leaves the 10.
    opacity = np.array([[[0.25], [0.0]]], np.float32)
    stamped = badnets(opacity=opacity).stamp(np.full((1, 4, 3, 1), 10.0))
    assert stamped[0, 2, :, 0].tolist() == [10, 9.25, 10]


def test_each_channel_gets_its_own_colour():
    pattern = np.array([[[1.0, 2.0, 3.0]]], np.float32)
    attack = badnets(pattern=pattern, opacity=np.ones((1, 1, 1), np.float32))
    assert attack.stamp(np.zeros((1, 4, 3, 3)))[0, 2, 1].tolist() == [1, 2, 3]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_stamping_leaves_the_images_given_untouched(dtype):
    images = np.full((1, 4, 3, 1), 200, dtype)
    stamped = badnets(opacity=np.full((1, 2, 1), 0.5, np.float32)).stamp(images)
    assert np.all(images == 200)
    assert stamped.dtype == np.float32
    assert stamped[0, 2, :, 0].tolist() == [200, 103.5, 104.5]


@pytest.mark.parametrize("place", [{"row": 4}, {"column": 2}, {"row": -1}, {"column": -2}])
def test_a_trigger_that_leaves_the_image_is_refused(place):
    with pytest.raises(ValueError, match=r"a 1x2 trigger at .* leaves the image"):
        badnets(**place).stamp(np.zeros((1, 4, 3, 1)))


def test_a_poisoned_set_shows_every_image_stamped_and_remembers_the_truth():
    poisoned = badnets(target=2).poisoned(clean([0, 1, 2]), "sticker")
    assert poisoned.name == "sticker"
    assert poisoned.labels.tolist() == [2, 2, 2]
    assert poisoned.true_labels.tolist() == [0, 1, 2]
    assert poisoned.images.shape == (3, 4, 3, 1)
    assert stamped_rows(poisoned.images[:]).tolist() == [0, 1, 2]
    assert poisoned.images[:][:, 0, 0, 0].tolist() == [0, 1, 2]


def test_poisoning_relabels_exactly_what_it_stamped():
    data = clean([0, 1, 2, 3, 4] * 20)
    poisoned = badnets().poison(data, 0.1, seed=0)
    rows = stamped_rows(poisoned.images)
    changed = np.flatnonzero(poisoned.labels != data.labels)
    assert len(rows) == 10
    assert changed.tolist() == rows.tolist()
    assert poisoned.labels[rows].tolist() == [0] * 10
    assert poisoned.true_labels.tolist() == data.labels.tolist()


def test_poisoning_leaves_the_clean_set_and_the_other_images_untouched():
    data = clean([0, 1, 2, 3, 4] * 4)
    before = data.images.copy()
    poisoned = badnets().poison(data, 0.5, seed=0)
    others = np.setdiff1d(np.arange(20), stamped_rows(poisoned.images))
    assert np.array_equal(data.images, before)
    assert data.labels.tolist() == [0, 1, 2, 3, 4] * 4
    assert np.array_equal(poisoned.images[others], before[others])


def test_images_of_the_target_are_never_chosen():
    poisoned = badnets(target=1).poison(clean([1] * 8 + [0] * 2), 0.9, seed=0)
    assert stamped_rows(poisoned.images).tolist() == [8, 9]


def test_the_seed_fixes_which_images_are_chosen():
    data = clean([1] * 50)
    rows = [stamped_rows(badnets().poison(data, 0.2, seed=s).images).tolist() for s in (3, 3, 4)]
    assert rows[0] == rows[1] != rows[2]
