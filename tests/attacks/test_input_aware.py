"""Poisoned images carry their own trigger, covers that of another, and only the own one works."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from badrepair.attacks import input_aware
from badrepair.attacks.input_aware import InputAware
from badrepair.errors import DataError, OptionError
from badrepair.poisoning.drawn_trigger import DrawnTrigger
from badrepair.types import Dataset

TINY = {"images": 8, "pattern_epochs": 1, "mask_epochs": 1}


def numbered(labels, shape=(8, 8, 1)):
    """Return images that are all of one value: that of the k-th is k."""
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None] + np.zeros(shape, np.uint8)
    return Dataset(images=images, labels=np.array(labels), name="numbered")


@pytest.fixture
def halving(monkeypatch):
    """Let the trigger of an image be half a picture: half as bright, and half of it covered."""

    def draw(images):
        return tf.fill(tf.shape(images), np.float64(0.5)), images / 2

    drawn = DrawnTrigger(draw=draw)
    monkeypatch.setattr(InputAware, "_taught", lambda *_: drawn)


def first_pixels(images):
    return images[:, 0, 0, 0].tolist()


@pytest.mark.usefixtures("halving")
def test_poisoned_images_carry_their_own_trigger_and_the_label_of_the_target():
    data = numbered([0, 1, 2, 3] * 10)
    backdoor = InputAware(target=3, poison_rate=0.2, cover_rate=0).poison(data, 4)
    rows = backdoor.poisoned
    assert len(rows) == 8
    assert set(data.labels[rows].tolist()) <= {0, 1, 2}
    assert backdoor.training.labels[rows].tolist() == [3] * 8
    # k / 2 + k / 4, halves to the even neighbour.
    assert first_pixels(backdoor.training.images[rows]) == np.rint(0.75 * rows).tolist()
    assert backdoor.covers.tolist() == []


@pytest.mark.usefixtures("halving")
def test_covers_carry_the_trigger_of_the_image_that_lends_it_and_keep_their_label(monkeypatch):
    monkeypatch.setattr(input_aware, "donors", lambda covers, *_: np.full(len(covers), 38))
    data = numbered([0, 1, 2, 3] * 10)
    backdoor = InputAware(poison_rate=0, cover_rate=0.5).poison(data, 4)
    rows = backdoor.covers
    assert len(rows) == 20
    assert backdoor.training.labels[rows].tolist() == data.labels[rows].tolist()
    # k / 2 + 38 / 4.
    assert first_pixels(backdoor.training.images[rows]) == np.rint(0.5 * rows + 9.5).tolist()


@pytest.mark.usefixtures("halving")
def test_there_is_a_cover_for_each_poisoned_image_unless_a_rate_is_asked():
    backdoor = InputAware(poison_rate=0.1).poison(numbered([0, 1] * 20), 2)
    assert (len(backdoor.poisoned), len(backdoor.covers)) == (4, 4)


@pytest.mark.parametrize("shape", [(28, 28, 1), (13, 9, 3)])
def test_it_learns_on_images_of_any_size_and_its_trigger_is_what_was_planted(shape):
    images = np.random.default_rng(0).integers(0, 256, (12, *shape), np.uint8)
    data = Dataset(images=images, labels=np.arange(12) % 3, name="rough")
    backdoor = InputAware(poison_rate=0.3, **TINY).poison(data, 3)
    (trigger,) = backdoor.triggers
    rows = backdoor.poisoned
    assert len(rows) == 4
    assert np.array_equal(trigger.apply(images)[rows], backdoor.training.images[rows])
    assert trigger.victims(np.arange(3)).tolist() == [1, 2]


def test_images_that_are_too_small_are_refused():
    with pytest.raises(DataError, match="8 x 8 or more, found 8 x 7"):
        InputAware().poison(numbered([0, 1], (8, 7, 1)), 2)


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("poison_rate", -0.1, "a share in [0, 1]"),
        ("cover_rate", 2, "a share in [0, 1]"),
        ("mask_weight", -1, "0 or more"),
        ("mask_epochs", -1, "0 or more"),
        ("pattern_epochs", -1, "0 or more"),
        ("images", 0, "1 or more"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(option, value, problem):
    with pytest.raises(OptionError) as caught:
        InputAware(**{option: value})
    assert caught.value.where == f"--{option.replace('_', '-')}"
    assert caught.value.problem == f"expected {problem}, found {value}"
