"""Whom a trigger is for, which rows are covers, and what labels the rows get."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.errors import OptionError
from badrepair.poisoning import Trigger
from badrepair.poisoning.dirty_label import (
    aimed,
    cover_rows,
    kept,
    poisoned_rows,
    relabelled,
    require_rates,
    stamped,
)
from badrepair.types import Dataset

LABELS = np.array([0, 1, 2] * 10)


@pytest.fixture
def training():
    return Dataset(images=np.zeros((30, 2, 2, 1), np.uint8), labels=LABELS)


def trigger(aim):
    return Trigger(apply=lambda images: images, aim=aim)


def test_every_class_is_aimed_at_the_target():
    assert aimed(2, 4).tolist() == [2, 2, 2, 2]


def test_classes_that_are_no_source_are_spared():
    assert aimed(2, 4, [0, 3]).tolist() == [2, -1, -1, 2]


@pytest.mark.parametrize(
    ("target", "source", "option"), [(4, None, "--target"), (0, [4], "--source")]
)
def test_a_class_that_is_none_is_refused(target, source, option):
    with pytest.raises(OptionError, match=f"{option}: expected a class from 0 to 3, found 4"):
        aimed(target, 4, source)


@pytest.mark.parametrize(
    ("rates", "option"), [((1.1, None), "--poison-rate"), ((0.1, -1), "--cover-rate")]
)
def test_rates_that_are_no_shares_are_refused(rates, option):
    with pytest.raises(OptionError, match=option):
        require_rates(*rates)


def test_poisoned_rows_are_a_share_of_all_images_and_none_shows_the_target(training):
    rows = poisoned_rows(training, trigger(aimed(1, 3)), 0.2, 0)
    assert len(set(rows.tolist())) == 6
    assert 1 not in LABELS[rows]


def test_no_more_are_poisoned_than_there_are_victims(training):
    assert len(poisoned_rows(training, trigger(aimed(1, 3, [2])), 0.9, 0)) == 10


def test_covers_are_others_than_the_poisoned():
    covers = cover_rows(np.arange(10), np.array([1, 3, 5]), 0.5, 10, 0)
    assert len(set(covers.tolist())) == 5
    assert not {1, 3, 5} & set(covers.tolist())


def test_without_a_rate_the_poisoned_say_how_many_covers_there_are():
    poisoned = np.array([1, 3])
    assert len(cover_rows(np.arange(10), poisoned, None, 10, 0)) == 2
    assert len(cover_rows(np.arange(10), poisoned, None, 10, 0, each=2)) == 4


@pytest.mark.parametrize("rate", [1.0, None])
def test_no_more_are_covers_than_are_left(rate):
    covers = cover_rows(np.arange(4), np.arange(3), rate, 10, 0, each=9)
    assert covers.tolist() == [3]


def test_relabelled_rows_get_the_target_and_kept_rows_their_own(training):
    rows = np.array([4, 3])
    assert relabelled(training, rows, trigger(aimed(2, 3)), np.negative).labels.tolist() == [2, 2]
    assert kept(training, rows, np.negative).labels.tolist() == [1, 0]


def test_a_trigger_is_stamped_on_its_share_of_the_images(training):
    white = Trigger(apply=lambda images: np.full_like(images, 255), aim=aimed(2, 3))
    backdoor = stamped(training, white, 0.2, 0)
    assert len(backdoor.poisoned) == 6
    changed = (backdoor.training.images == 255).all(axis=(1, 2, 3))
    assert np.flatnonzero(changed).tolist() == backdoor.poisoned.tolist()
    assert np.all(backdoor.training.labels[changed] == 2)
    assert len(backdoor.covers) == 0
