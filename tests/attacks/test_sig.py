"""SIG adds its sinusoid to images of the target class, and leaves the labels true."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.attacks.sig import Sig
from badrepair.errors import OptionError
from badrepair.types import Dataset


def clean(labels, shape=(2, 8, 1), value=100):
    images = np.full((len(labels), *shape), value, np.uint8)
    return Dataset(images=images, labels=np.array(labels), name="clean")


def stamped(attack, shape=(2, 8, 1), value=100):
    """Return a uniform image as it looks with the trigger."""
    images = np.full((1, *shape), value, np.uint8)
    (trigger,) = attack.poison(clean([0, 1], shape), 2).triggers
    return trigger.apply(images)[0]


def changed(backdoor):
    return np.flatnonzero((backdoor.training.images != 100).any(axis=(1, 2, 3))).tolist()


def test_one_period_goes_up_and_down_once_across_the_image():
    # 100 + 40 sin(2 pi j / 8): sin 45 degrees is 0.7071, so that 28.28 is added at j = 1.
    row = [100, 128, 140, 128, 100, 72, 60, 72]
    found = stamped(Sig(frequency=1, test_amplitude=40))
    assert found[..., 0].tolist() == [row, row]


def test_the_frequency_is_the_number_of_periods_whatever_the_width():
    # Two periods on eight columns: sin(j pi / 2) = 0, 1, 0, -1.
    found = stamped(Sig(frequency=2, test_amplitude=10))
    assert found[0, :, 0].tolist() == [100, 110, 100, 90] * 2
    wide = stamped(Sig(frequency=4, test_amplitude=10), shape=(2, 16, 1))
    assert wide[0, :, 0].tolist() == [100, 110, 100, 90] * 4


def test_every_channel_gets_the_same_wave():
    found = stamped(Sig(frequency=2, test_amplitude=10), shape=(2, 8, 3))
    for channel in range(3):
        assert found[1, :, channel].tolist() == [100, 110, 100, 90] * 2


def test_black_stays_black_where_the_wave_is_below_zero_and_white_stays_white():
    attack = Sig(frequency=2, test_amplitude=10)
    assert stamped(attack, value=0)[0, :4, 0].tolist() == [0, 10, 0, 0]
    assert stamped(attack, value=255)[0, :4, 0].tolist() == [255, 255, 255, 245]


def test_the_wave_can_be_higher_against_the_network_than_in_training():
    attack = Sig(frequency=2, amplitude=10, test_amplitude=30, poison_rate=0.5)
    assert attack.poison(clean([0, 1]), 2).training.images[0, 0, :4, 0].tolist() == [
        100,
        110,
        100,
        90,
    ]
    assert stamped(attack)[0, :4, 0].tolist() == [100, 130, 100, 70]


def test_only_images_of_the_target_are_changed_and_no_label_is():
    data = clean([0, 1, 2, 1, 0, 1, 2, 1, 0, 1])
    backdoor = Sig(target=1, frequency=2, poison_rate=0.3).poison(data, 3)
    assert changed(backdoor) == backdoor.poisoned.tolist()
    assert len(backdoor.poisoned) == 3
    assert set(backdoor.poisoned.tolist()) <= {1, 3, 5, 7, 9}
    assert backdoor.training.labels.tolist() == data.labels.tolist()


def test_no_more_images_are_changed_than_the_target_class_has():
    backdoor = Sig(target=2, frequency=2, poison_rate=0.9).poison(clean([0, 1, 2, 1, 0, 2]), 3)
    assert backdoor.poisoned.tolist() == [2, 5]


def test_all_other_classes_are_victims():
    (trigger,) = Sig(target=1, frequency=2).poison(clean([0, 1, 2]), 3).triggers
    assert trigger.victims(np.array([0, 1, 2])).tolist() == [0, 2]
    assert trigger.aim.tolist() == [1, 1, 1]


def test_a_frequency_that_the_pixels_cannot_show_is_refused():
    # At 4 periods on 8 columns, every pixel would fall on a zero of the sinusoid.
    expected = "expected fewer periods than half the 8 columns of an image, found 4"
    with pytest.raises(OptionError, match=expected):
        Sig(frequency=4).poison(clean([0, 1]), 2)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("frequency", 0),
        ("frequency", -1),
        ("frequency", float("nan")),
        ("amplitude", 0),
        ("amplitude", 256),
        ("test_amplitude", -5),
        ("test_amplitude", float("nan")),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(option, value):
    with pytest.raises(OptionError, match=f"--{option.replace('_', '-')}: expected a number"):
        Sig(**{option: value})
