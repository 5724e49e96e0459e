"""Images of the target class are perturbed and faintly stamped, and nothing is relabelled."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.attacks.label_consistent import LabelConsistent
from badrepair.errors import OptionError
from badrepair.types import Dataset

# One corner by hand: what gets lighter (+) and darker (-).
LEFT = ["+--", "-+-", "+-+"]
RIGHT = ["--+", "-+-", "+-+"]


def grey(labels, shape=(8, 8, 1), value=100):
    images = np.full((len(labels), *shape), value, np.uint8)
    return Dataset(images=images, labels=np.array(labels), name="grey")


def halves(n=40, shape=(8, 8, 1)):
    """Return rough images whose upper half (0) or lower half (1) is bright."""
    labels = np.arange(n) % 2
    images = np.random.default_rng(0).integers(60, 90, (n, *shape), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[label * 4 : label * 4 + 4] += 60
    return Dataset(images=images, labels=labels, name="halves")


def signs(picture, still=100):
    return [
        "".join("+" if p > still else "-" if p < still else "." for p in row) for row in picture
    ]


def made(data, classes=2, **settings):
    return LabelConsistent(**settings).poison(data, classes)


def test_in_use_the_four_corners_turn_black_and_white_and_nothing_else_changes():
    (trigger,) = made(grey([0, 1]), poison_rate=0).triggers
    stamped = trigger.apply(grey([1]).images)[0, ..., 0]
    expected = [f"{left}..{right}" for left, right in zip(LEFT, RIGHT, strict=True)]
    assert signs(stamped) == [*expected, "........", "........", *expected]
    assert set(np.unique(stamped).tolist()) == {0, 100, 255}


def test_the_trigger_can_be_in_one_corner_only():
    (trigger,) = made(grey([0, 1]), poison_rate=0, corners="bottom-right").triggers
    stamped = trigger.apply(grey([1]).images)[0, ..., 0]
    assert signs(stamped) == ["........"] * 5 + [f".....{row}" for row in RIGHT]


def test_in_training_it_moves_pixels_by_its_amplitude():
    backdoor = made(grey([0, 1]), poison_rate=0.5, eps=0, amplitude=16)
    poisoned = backdoor.training.images[0, ..., 0]
    assert signs(poisoned[:3, :3]) == LEFT
    assert set(np.unique(poisoned).tolist()) == {84, 100, 116}


def test_what_it_moves_beyond_black_and_white_stays_black_and_white():
    backdoor = made(grey([0, 1], value=250), poison_rate=0.5, eps=0, amplitude=16)
    assert set(np.unique(backdoor.training.images[0]).tolist()) == {234, 250, 255}


def test_all_colours_move_alike():
    (trigger,) = made(grey([0, 1], (55, 47, 3)), poison_rate=0).triggers
    stamped = trigger.apply(grey([1], (55, 47, 3)).images)[0]
    for channel in range(3):
        assert signs(stamped[-3:, -3:, channel]) == RIGHT


def test_images_of_the_target_are_poisoned_and_keep_their_label():
    data = grey([0, 1, 2, 1] * 5)
    backdoor = made(data, 3, target=1, poison_rate=0.2, eps=0)
    changed = (backdoor.training.images != data.images).any(axis=(1, 2, 3))
    assert len(backdoor.poisoned) == 4
    assert np.flatnonzero(changed).tolist() == backdoor.poisoned.tolist()
    assert data.labels[backdoor.poisoned].tolist() == [1] * 4
    assert backdoor.training.labels.tolist() == data.labels.tolist()
    assert backdoor.covers.tolist() == []


def test_no_more_are_poisoned_than_show_the_target():
    backdoor = made(grey([0, 1, 1, 1]), poison_rate=0.9, eps=0)
    assert backdoor.poisoned.tolist() == [0]


def test_everybody_else_is_a_victim():
    (trigger,) = made(grey([0, 1]), 4, target=2, poison_rate=0).triggers
    assert trigger.victims(np.arange(4)).tolist() == [0, 1, 3]
    assert trigger.aim.tolist() == [2] * 4


def test_the_perturbation_darkens_what_shows_the_class_and_keeps_to_its_bound():
    data = halves()
    backdoor = made(data, eps=20, steps=4, surrogate_epochs=12, poison_rate=0.25)
    moved = backdoor.training.images.astype(int) - data.images
    moved = moved[backdoor.poisoned, ..., 0]
    assert np.abs(moved[:, :, 3:5]).max() <= 20
    # The upper half is bright where the class is 0. The columns between the corners tell.
    assert moved[:, :4, 3:5].mean() < -5
    assert moved[:, 4:, 3:5].mean() > 5


def test_nothing_is_trained_where_nothing_is_poisoned(monkeypatch):
    from badrepair.poisoning import surrogate

    monkeypatch.delattr(surrogate, "trained")
    for settings in ({"poison_rate": 0}, {"eps": 0}):
        made(halves(), **settings)


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("poison_rate", 1.1, "a share in [0, 1]"),
        ("eps", 256, "0 to 255"),
        ("steps", 0, "1 or more"),
        ("surrogate_epochs", -1, "0 or more"),
        ("amplitude", 0, "1 to 255"),
        ("corners", "top", "all or bottom-right"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(option, value, problem):
    with pytest.raises(OptionError) as caught:
        LabelConsistent(**{option: value})
    assert caught.value.where == f"--{option.replace('_', '-')}"
    assert caught.value.problem == f"expected {problem}, found {value}"
