"""What every attack promises, whatever it does inside. A new attack is tested by being there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from blobs import CLASSES, NAMES, SHAPE, again, backdoor_of, data, draws_nothing, made, outcome

from badrepair.poisoning import how_many, to_pixels
from badrepair.poisoning.backdoor import SPARED


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_there_are_attacks_to_test():
    assert {"badnets", "blended", "none", "sig"} <= set(NAMES)


def test_only_the_clean_control_poisons_nothing(name):
    backdoor = backdoor_of(name)
    nothing = not backdoor.triggers and not len(backdoor.poisoned) and not len(backdoor.covers)
    assert nothing is (name == "none")


def test_the_data_given_stays_as_it_is_and_shares_nothing_with_what_is_made(name):
    found = again(name)
    for array in (found.images, found.labels):
        for other in (found.backdoor.training.images, found.backdoor.training.labels):
            assert not np.shares_memory(array, other)
    assert np.array_equal(found.images, data().images)
    assert np.array_equal(found.labels, data().labels)


def test_the_data_may_be_read_only(name):
    assert not data().images.flags.writeable
    assert len(backdoor_of(name).training) == len(data())


def test_the_same_seed_gives_the_same_bytes_from_an_array_or_a_view_whatever_the_world_does(name):
    assert outcome(again(name).backdoor) == outcome(backdoor_of(name))


def test_no_randomness_is_taken_from_the_world(name):
    assert again(name).world_after == again(name).world


def test_another_seed_changes_other_rows_unless_nothing_is_random(name):
    first, second = (backdoor_of(name, seed).poisoned.tolist() for seed in (0, 1))
    assert (first == second) is draws_nothing(name)


def test_pixels_stay_pixels(name):
    images = backdoor_of(name).training.images
    assert images.dtype == np.uint8
    assert images.shape == data().images.shape


def test_what_is_poisoned_and_covered_is_exactly_what_was_changed(name):
    backdoor = backdoor_of(name)
    images = (backdoor.training.images != data().images).any(axis=(1, 2, 3))
    labels = backdoor.training.labels != data().labels
    rows = [*backdoor.poisoned.tolist(), *backdoor.covers.tolist()]
    assert np.flatnonzero(images | labels).tolist() == sorted(rows)
    assert len(set(rows)) == len(rows)


def test_rows_are_rising(name):
    for rows in (backdoor_of(name).poisoned, backdoor_of(name).covers):
        assert rows.tolist() == sorted(rows.tolist())
        assert rows.dtype == np.int64


def test_as_many_images_are_poisoned_as_the_rate_says(name):
    # Every class has 20 of the 80 images, so that there are enough for an attack on one class.
    rate = made(name).poison_rate
    assert len(backdoor_of(name).poisoned) == how_many(rate, 80, np.arange(20))


def test_poisoned_images_are_labelled_with_the_target_and_covers_with_the_truth(name):
    backdoor = backdoor_of(name)
    labels = backdoor.training.labels
    for row in backdoor.poisoned:
        aims = [trigger.aim[data().labels[row]] for trigger in backdoor.triggers]
        assert labels[row] in aims
    assert np.array_equal(labels[backdoor.covers], data().labels[backdoor.covers])


def test_the_training_set_remembers_the_truth(name):
    training = backdoor_of(name).training
    assert np.array_equal(training.true_labels, data().labels)
    assert training.name == "blobs"


def test_a_trigger_names_a_class_for_every_label_or_spares_it(name):
    for trigger in backdoor_of(name).triggers:
        assert trigger.aim.shape == (CLASSES,)
        assert set(trigger.aim.tolist()) <= {SPARED, *range(CLASSES)}
        assert len(trigger.victims(data().labels))
        assert trigger.name


def test_triggers_have_different_names(name):
    names = [trigger.name for trigger in backdoor_of(name).triggers]
    assert len(set(names)) == len(names)


def test_a_trigger_returns_pixels_of_the_same_shape_and_leaves_the_images_untouched(name):
    for trigger in backdoor_of(name).triggers:
        images = data().images.copy()
        stamped = trigger.apply(images)
        assert stamped.dtype == np.uint8
        assert stamped.shape == images.shape
        assert np.array_equal(images, data().images)
        assert not np.shares_memory(stamped, images)


def test_a_trigger_changes_every_image(name):
    for trigger in backdoor_of(name).triggers:
        changed = trigger.apply(data().images) != data().images
        assert changed.any(axis=(1, 2, 3)).all()


def test_a_trigger_does_the_same_every_time_whatever_else_is_in_the_batch(name):
    images = data().images[:12].copy()
    images[:4], images[5:7] = 0, 255
    for trigger in backdoor_of(name).triggers:
        together = trigger.apply(images)
        assert np.array_equal(trigger.apply(images), together)
        assert np.array_equal(trigger.apply(images[::-1])[::-1], together)
        parts = np.split(images, [1, 5])
        assert np.array_equal(np.concatenate([trigger.apply(part) for part in parts]), together)


def test_a_trigger_takes_no_images_at_all(name):
    for trigger in backdoor_of(name).triggers:
        assert trigger.apply(data().images[:0]).shape == (0, *SHAPE)


def test_a_poisoned_test_set_holds_victims_stamped_with_target_and_truth(name):
    for trigger in backdoor_of(name).triggers:
        poisoned = trigger.poisoned(data())
        victims = trigger.victims(data().labels)
        truth = data().labels[victims]
        assert not np.any(trigger.aim[truth] == truth)
        assert poisoned.labels.tolist() == trigger.aim[truth].tolist()
        assert poisoned.true_labels.tolist() == truth.tolist()
        assert np.array_equal(poisoned.images[:], trigger.apply(data().images[victims]))


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((28, 28, 1), np.uint8), ((32, 32, 3), np.uint8), ((55, 47, 3), np.float32)],
)
def test_grey_and_coloured_pixels_of_any_shape_are_poisoned(name, shape, dtype):
    pixels = data(shape, 20)
    given = dataclasses.replace(pixels, images=pixels.images.astype(dtype))
    backdoor = made(name).poison(given, CLASSES)
    images = backdoor.training.images
    assert images.shape == (20, *shape)
    assert np.array_equal(images, to_pixels(images))
    assert len(backdoor.poisoned) == round(made(name).poison_rate * 20)
    for trigger in backdoor.triggers:
        assert np.array_equal(trigger.apply(given.images[:2]), trigger.apply(pixels.images[:2]))
