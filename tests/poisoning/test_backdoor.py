"""Triggers know whom they are for, and what is planted is just what was changed."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.poisoning import Change, Trigger, planted
from badrepair.poisoning.backdoor import SPARED
from badrepair.types import Dataset


def plus_100(images):
    return images + np.asarray(100, images.dtype)


def trigger(aim, name="trigger"):
    return Trigger(apply=plus_100, aim=np.array(aim), name=name)


def clean(labels, dtype=np.uint8):
    """Return images of 2x2 pixels; those of the k-th are all k."""
    images = np.tile(np.arange(len(labels), dtype=dtype)[:, None, None, None], (1, 2, 2, 1))
    return Dataset(images=images, labels=np.array(labels), name="clean")


def change(rows, labels):
    return Change(rows=np.array(rows), apply=plus_100, labels=np.array(labels))


def values(images):
    return images[:, 0, 0, 0].tolist()


def test_victims_are_all_that_do_not_show_the_target():
    assert trigger([1, 1, 1]).victims(np.array([0, 1, 2, 1])).tolist() == [0, 2]


def test_each_class_can_have_a_target_of_its_own():
    assert trigger([1, 2, 0]).victims(np.array([0, 1, 2])).tolist() == [0, 1, 2]


def test_spared_classes_have_no_victims():
    assert trigger([1, SPARED, 1]).victims(np.array([0, 1, 2, 1, 0])).tolist() == [0, 2, 4]


def test_a_poisoned_set_shows_the_victims_stamped_and_remembers_the_truth():
    poisoned = trigger([2, SPARED, 2, 0], "sticker").poisoned(clean([0, 1, 2, 3, 0]))
    assert poisoned.name == "sticker"
    assert poisoned.labels.tolist() == [2, 0, 2]
    assert poisoned.true_labels.tolist() == [0, 3, 0]
    assert poisoned.images.shape == (3, 2, 2, 1)
    assert values(poisoned.images[:]) == [100, 103, 104]


def test_a_poisoned_set_is_stamped_as_it_is_read(recording):
    data = clean([0, 1, 0, 1])
    images = recording(data.images)
    poisoned = trigger([1, 1]).poisoned(Dataset(images=images, labels=data.labels))
    assert not images.reads
    assert values(poisoned.images[1:2]) == [102]
    assert [rows.tolist() for _, rows in images.reads] == [[2]]


def test_a_set_without_victims_has_no_poisoned_images():
    poisoned = trigger([1, 1]).poisoned(clean([1, 1]))
    assert len(poisoned) == 0
    assert poisoned.images[:].shape == (0, 2, 2, 1)


def test_planting_changes_exactly_the_rows_of_the_changes():
    backdoor = planted(
        clean([0, 1, 2, 0, 1]), [trigger([1, 1, 1])], [change([3, 0], [1, 1])], [change([4], [1])]
    )
    assert values(backdoor.training.images) == [100, 1, 2, 103, 104]
    assert backdoor.training.labels.tolist() == [1, 1, 2, 1, 1]
    assert backdoor.training.true_labels.tolist() == [0, 1, 2, 0, 1]
    assert backdoor.training.name == "clean"
    assert backdoor.poisoned.tolist() == [0, 3]
    assert backdoor.covers.tolist() == [4]


def test_several_changes_are_poisoned_rows_together():
    triggers = [trigger([1, 1, 1]), trigger([2, 2, 2], "other")]
    backdoor = planted(clean([0, 1, 2]), triggers, [change([2], [1]), change([0], [2])])
    assert backdoor.poisoned.tolist() == [0, 2]
    assert backdoor.training.labels.tolist() == [2, 1, 1]
    assert [each.name for each in backdoor.triggers] == ["trigger", "other"]


def test_nothing_planted_is_the_data_as_it_was():
    data = clean([0, 1])
    backdoor = planted(data, (), ())
    assert np.array_equal(backdoor.training.images, data.images)
    assert backdoor.training.labels.tolist() == [0, 1]
    assert backdoor.triggers == ()
    assert backdoor.poisoned.tolist() == backdoor.covers.tolist() == []
    assert backdoor.poisoned.dtype == np.int64


def test_planting_leaves_the_data_given_untouched():
    data = clean([0, 1, 2])
    images, labels = data.images.copy(), data.labels.copy()
    for array in (data.images, data.labels):
        array.setflags(write=False)
    backdoor = planted(data, (), [change([0, 1, 2], [1, 1, 1])])
    assert np.array_equal(data.images, images)
    assert np.array_equal(data.labels, labels)
    assert not np.shares_memory(backdoor.training.true_labels, data.labels)


def test_pixels_stay_pixels_and_views_are_read():
    view = clean([0, 1, 2]).take(np.array([2, 0]))
    backdoor = planted(view, (), [change([1], [1])])
    assert backdoor.training.images.dtype == np.uint8
    assert values(backdoor.training.images) == [2, 100]
    floats = planted(clean([0], np.float32), (), [change([0], [1])])
    assert floats.training.images.dtype == np.float32


def test_triggers_of_one_name_are_refused():
    """Their files and their rows in a table could not be told apart."""
    with pytest.raises(ValueError, match="different names, found sun, sun"):
        planted(clean([0, 1]), [trigger([0, 0], "sun"), trigger([1, 1], "sun")], [])
