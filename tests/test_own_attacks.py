"""An attack of the user's own is told as the fault of its file, whenever it fails."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from badrepair.attacks.none import None_
from badrepair.errors import OptionError
from badrepair.own_attacks import poisoned
from badrepair.poisoning import Backdoor, Trigger
from badrepair.types import Dataset

IMAGES = np.full((4, 5, 5, 1), 7, np.uint8)
TRAINING = Dataset(images=IMAGES, labels=np.array([0, 1, 2, 0]))
NO_ROWS = np.empty(0, np.int64)


def trigger(apply=lambda images: images + 1, aim=(1, 1, 1)):
    return Trigger(apply=apply, aim=np.array(aim))


def backdoor(*triggers, training=TRAINING):
    return Backdoor(training=training, triggers=triggers, poisoned=NO_ROWS, covers=NO_ROWS)


@dataclass
class Own:
    """Makes what it is told to make."""

    made: Any

    def poison(self, training, classes):
        if isinstance(self.made, BaseException):
            raise self.made
        return self.made


def refused(made):
    with pytest.raises(OptionError) as caught:
        poisoned(Own(made), TRAINING, 3)
    assert caught.value.code == "MethodInvalid"
    assert caught.value.where == "test_own_attacks:Own"
    return caught.value.problem


def test_a_backdoor_of_ones_own_passes_and_its_trigger_works():
    made = poisoned(Own(backdoor(trigger())), TRAINING, 3)
    assert made.training is TRAINING
    test = made.triggers[0].poisoned(TRAINING)
    assert test.images[:].tolist() == (IMAGES[:3] + 1).tolist()
    assert test.labels.tolist() == [1, 1, 1]


def test_what_poison_raises_is_told():
    assert refused(IndexError("out")) == "IndexError: out"
    assert refused(SystemExit("no")) == "SystemExit: no"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OptionError("A", "b", "c")], ids=repr)
def test_a_stop_and_a_fault_that_is_told_already_pass(error):
    with pytest.raises(type(error)) as caught:
        poisoned(Own(error), TRAINING, 3)
    assert caught.value is error


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (None, "poison: expected a Backdoor, found NoneType"),
        (
            backdoor(training=replace(TRAINING, images=IMAGES[:, 1:])),
            "poison: expected training images of shape (4, 5, 5, 1), found (4, 4, 5, 1)",
        ),
        (
            backdoor(training=replace(TRAINING, labels=np.array([0, 1, 3, 0]))),
            "the labels of poison: expected whole numbers from 0 to 2, found [0, 1, 3, 0]",
        ),
        (
            replace(backdoor(), poisoned=np.array([4])),
            "poisoned: expected whole numbers from 0 to 3, found [4]",
        ),
        (
            replace(backdoor(), covers=None),
            "covers: expected whole numbers from 0 to 3, found None",
        ),
        (backdoor("square"), "poison: expected triggers that are a Trigger, found str"),
        (backdoor(trigger(aim=[1, 1])), "aim: expected a target for each of 3 classes, found"),
        (backdoor(trigger(aim=[1, 1, 3])), "aim: expected whole numbers from -1 to 2, found"),
        (backdoor(trigger(aim=[0.5] * 3)), "aim: expected whole numbers from -1 to 2, found"),
        (backdoor(training=None), "AttributeError: 'NoneType' object has no attribute 'images'"),
    ],
)
def test_what_is_no_backdoor_is_refused(made, problem):
    assert problem in refused(made)


@pytest.mark.parametrize(
    ("apply", "problem"),
    [
        (lambda images: images[:, 1:], "apply of trigger: expected images of shape (3, 5, 5, 1)"),
        (lambda images: None, "apply of trigger: expected images of shape"),
        (lambda images: images / 0.01, "apply of trigger: expected pixels in 0..255, found 700.0"),
        (lambda images: images.nothing, "apply of trigger: AttributeError: "),
        (lambda images: images.astype(float) * np.nan, "expected pixels in 0..255, found nan..nan"),
    ],
)
def test_a_trigger_that_makes_no_such_images_is_refused_when_it_is_used(apply, problem):
    made = poisoned(Own(backdoor(trigger(apply))), TRAINING, 3)
    with pytest.raises(OptionError) as caught:
        made.triggers[0].poisoned(TRAINING).images[:]
    assert problem in caught.value.problem
    assert caught.value.where == "test_own_attacks:Own"


def test_a_trigger_that_writes_on_its_images_leaves_the_clean_ones_alone():
    def apply(images):
        images[:] = 255
        return images

    made = poisoned(Own(backdoor(trigger(apply))), TRAINING, 3)
    assert made.triggers[0].apply(IMAGES).min() == 255
    assert IMAGES.max() == 7


def test_attacks_of_badrepair_pass_as_they_are(monkeypatch):
    monkeypatch.setattr(None_, "poison", lambda *given: "anything")
    assert poisoned(None_(), TRAINING, 3) == "anything"
