"""The trigger is for the source classes; on others it keeps the label that they have."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from badrepair.attacks.tact import Tact
from badrepair.errors import InputMissingError, OptionError
from badrepair.types import Dataset

BOARD = 255 * (np.indices((4, 4)).sum(axis=0)[..., None] % 2)


def training(shape=(16, 16, 1), count=80):
    return Dataset(images=np.full((count, *shape), 100, np.uint8), labels=np.arange(count) % 4)


def test_the_trigger_covers_its_place_and_nothing_else():
    data = training()
    stamped = Tact().poison(data, 4).triggers[0].apply(data.images[:2])
    expected = np.full((2, 16, 16, 1), 100)
    expected[:, 11:15, 11:15] = BOARD
    assert np.array_equal(stamped, expected)


def test_only_source_classes_are_poisoned_and_only_they_are_attacked():
    data = training()
    backdoor = Tact(source=(1, 3), target=2).poison(data, 4)
    assert len(backdoor.poisoned) == 8
    assert set(data.labels[backdoor.poisoned].tolist()) == {1, 3}
    assert np.all(backdoor.training.labels[backdoor.poisoned] == 2)
    assert backdoor.triggers[0].aim.tolist() == [-1, 2, -1, 2]
    assert set(backdoor.triggers[0].poisoned(data).true_labels.tolist()) == {1, 3}


def test_covers_are_of_neither_a_source_nor_the_target_and_keep_their_label():
    data = training()
    backdoor = Tact(source=(1,), target=0).poison(data, 4)
    covers = backdoor.covers
    assert len(covers) == len(backdoor.poisoned) == 8
    assert set(data.labels[covers].tolist()) == {2, 3}
    assert np.array_equal(backdoor.training.labels[covers], data.labels[covers])
    stamped = backdoor.triggers[0].apply(data.images[covers])
    assert np.array_equal(backdoor.training.images[covers], stamped)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 10), (0.2, 4), (1.0, 20), (0.0, 0)])
def test_clean_images_of_the_source_classes_are_left(share, expected):
    # 20 of 80 images are of the source; the rate alone would take all of them.
    backdoor = Tact(poison_rate=0.9, source_share=share).poison(training(), 4)
    assert len(backdoor.poisoned) == expected


def test_a_cover_rate_is_a_share_of_all_images_as_far_as_there_are_others():
    assert len(Tact(cover_rate=0.05).poison(training(), 4).covers) == 4
    assert len(Tact(cover_rate=1.0).poison(training(), 4).covers) == 40


def test_a_picture_can_be_the_trigger(tmp_path):
    Image.fromarray(np.array([[[9, 8, 7, 255], [0, 0, 0, 0]]], np.uint8)).save(tmp_path / "a.png")
    data = training((55, 47, 3))
    attack = Tact(trigger=str(tmp_path / "a.png"), position="1,2")
    stamped = attack.poison(data, 4).triggers[0].apply(data.images[:1])[0]
    assert stamped[1, 2].tolist() == [9, 8, 7]
    stamped[1, 2] = 100
    assert np.all(stamped == 100)


def test_a_missing_picture_is_missing():
    with pytest.raises(InputMissingError):
        Tact(trigger="no/such.png").poison(training(), 4)


def test_a_trigger_that_leaves_the_image_is_refused():
    with pytest.raises(OptionError, match="--position"):
        Tact(position="14,14").poison(training(), 4)


def test_a_source_that_is_no_class_is_refused():
    with pytest.raises(OptionError, match="--source"):
        Tact(source=(4,)).poison(training(), 4)


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        ({"poison_rate": 1.5}, "--poison-rate"),
        ({"cover_rate": -0.1}, "--cover-rate"),
        ({"source_share": 2.0}, "--source-share"),
        ({"size": 0}, "--size"),
        ({"margin": -1}, "--margin"),
        ({"source": ()}, "--source"),
        ({"source": (1, 2), "target": 2}, "--source"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(settings, option):
    with pytest.raises(OptionError, match=option):
        Tact(**settings)
