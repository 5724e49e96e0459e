"""Blended mixes its picture into whole images, by as much as the opacity says."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from badrepair.attacks.blended import Blended
from badrepair.errors import DataError, InputMissingError, OptionError
from badrepair.types import Dataset


def clean(labels, shape=(4, 6, 1), value=100):
    images = np.full((len(labels), *shape), value, np.uint8)
    return Dataset(images=images, labels=np.array(labels), name="clean")


def only_trigger(attack, shape=(4, 6, 1)):
    (trigger,) = attack.poison(clean([0, 1], shape), 2).triggers
    return trigger


@pytest.fixture
def picture(tmp_path):
    """Return the path of a picture of one colour: 200, 50, 0."""
    path = tmp_path / "kitty.png"
    Image.new("RGB", (3, 2), (200, 50, 0)).save(path)
    return str(path)


def test_a_picture_is_mixed_into_every_pixel(picture):
    # .8 * 100 + .2 * 200 = 120, + .2 * 50 = 90, + .2 * 0 = 80.
    trigger = only_trigger(Blended(pattern=picture), (4, 6, 3))
    found = trigger.apply(np.full((2, 4, 6, 3), 100, np.uint8))
    assert np.array_equal(found, np.broadcast_to([120, 90, 80], (2, 4, 6, 3)))


def test_a_coloured_picture_is_grey_on_grey_images(picture):
    # Luminance of 200, 50, 0: .299 * 200 + .587 * 50 = 89; .5 * 100 + .5 * 89 = 94.5.
    trigger = only_trigger(Blended(pattern=picture, opacity=0.5))
    assert np.all(trigger.apply(np.full((1, 4, 6, 1), 100, np.uint8)) == 94)


def test_noise_covers_the_whole_image_and_is_the_same_on_all():
    trigger = only_trigger(Blended(opacity=1.0), (16, 16, 1))
    found = trigger.apply(np.zeros((2, 16, 16, 1), np.uint8))
    assert np.array_equal(found[0], found[1])
    # 256 values drawn evenly from 0..255 have a mean of 127.5 within 4 * 74 / 16.
    assert abs(found[0].mean() - 127.5) < 18.5
    assert len(np.unique(found[0])) > 128


def test_the_seed_fixes_the_noise():
    images = np.zeros((1, 4, 6, 1), np.uint8)
    noises = [
        only_trigger(Blended(opacity=1.0, seed=seed)).apply(images).tolist() for seed in (1, 1, 2)
    ]
    assert noises[0] == noises[1] != noises[2]


def test_an_opacity_of_none_leaves_the_image_and_one_of_all_the_picture(picture):
    images = np.full((1, 4, 6, 3), 100, np.uint8)
    attack = Blended(pattern=picture, opacity=0.0)
    assert np.array_equal(only_trigger(attack, (4, 6, 3)).apply(images), images)
    attack = Blended(pattern=picture, opacity=1.0)
    assert only_trigger(attack, (4, 6, 3)).apply(images)[0, 0, 0].tolist() == [200, 50, 0]


def test_the_picture_can_be_stronger_against_the_network_than_in_training(picture):
    attack = Blended(pattern=picture, opacity=0.1, test_opacity=0.5, poison_rate=0.5)
    backdoor = attack.poison(clean([0, 1], (4, 6, 3)), 2)
    assert backdoor.poisoned.tolist() == [1]
    assert backdoor.training.images[1, 0, 0].tolist() == [110, 95, 90]
    stamped = backdoor.triggers[0].apply(np.full((1, 4, 6, 3), 100, np.uint8))
    assert stamped[0, 0, 0].tolist() == [150, 75, 50]


def test_images_of_other_classes_are_poisoned_and_labelled_with_the_target(picture):
    data = clean([2, 0, 1, 2, 0, 1, 2, 0, 1, 2], (4, 6, 3))
    backdoor = Blended(pattern=picture, target=2, poison_rate=0.4).poison(data, 3)
    changed = np.flatnonzero((backdoor.training.images != 100).any(axis=(1, 2, 3)))
    assert changed.tolist() == backdoor.poisoned.tolist()
    assert len(changed) == 4
    assert set(data.labels[changed].tolist()) <= {0, 1}
    assert backdoor.training.labels[changed].tolist() == [2, 2, 2, 2]


def test_a_picture_that_is_not_there_or_none_is_refused(tmp_path):
    with pytest.raises(InputMissingError, match=r"none\.png"):
        only_trigger(Blended(pattern=str(tmp_path / "none.png")))
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match=r"text\.png"):
        only_trigger(Blended(pattern=str(tmp_path / "text.png")))


@pytest.mark.parametrize("option", ["opacity", "test_opacity"])
@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_an_opacity_that_is_no_share_is_refused(option, value):
    with pytest.raises(OptionError, match=f"--{option.replace('_', '-')}: expected"):
        Blended(**{option: value})
