"""The pattern is as strong as is asked, and has low frequencies only."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dctn

from badrepair.attacks.low_frequency import LowFrequency
from badrepair.errors import OptionError
from badrepair.types import Dataset


def training(shape, value=128, count=40):
    return Dataset(images=np.full((count, *shape), value, np.uint8), labels=np.arange(count) % 4)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (55, 47, 3)])
def test_the_pattern_is_as_strong_as_is_asked(shape):
    pattern = LowFrequency(amplitude=17).pattern(shape)
    assert (pattern.shape, pattern.dtype) == (shape, np.float32)
    assert np.abs(pattern).max() == pytest.approx(17)


def test_the_pattern_has_the_lowest_frequencies_only_and_no_mean():
    # A tenth of 55 is 5.5 and of 47 is 4.7, whole numbers above: 6 down and 5 across.
    spectrum = dctn(LowFrequency(cutoff=0.1).pattern((55, 47, 3)), axes=(0, 1), norm="ortho")
    assert np.all(np.abs(spectrum[0, 0]) < 1e-3)
    assert np.all(np.abs(spectrum[6:]) < 1e-3)
    assert np.all(np.abs(spectrum[:, 5:]) < 1e-3)
    low = np.abs(spectrum[:6, :5]).max(axis=2) > 1e-2
    assert low.sum() == 6 * 5 - 1


def test_a_pattern_has_a_frequency_however_low_the_cutoff():
    pattern = LowFrequency(cutoff=0.001).pattern((28, 28, 1))
    assert np.abs(pattern).max() == pytest.approx(32)


def test_the_trigger_adds_the_pattern_to_any_image():
    attack = LowFrequency(amplitude=20)
    data = training((28, 28, 1))
    added = attack.poison(data, 4).triggers[0].apply(data.images).astype(float) - 128
    assert np.array_equal(added, np.repeat(np.rint(attack.pattern((28, 28, 1)))[None], 40, axis=0))


@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white_stay_pixels(value):
    attack = LowFrequency(amplitude=20)
    data = training((28, 28, 1), value)
    change = attack.poison(data, 4).triggers[0].apply(data.images)[0].astype(float) - value
    pattern = np.rint(attack.pattern((28, 28, 1)))
    expected = np.maximum(pattern, 0) if value == 0 else np.minimum(pattern, 0)
    assert np.array_equal(change, expected)


def test_poisoned_images_carry_the_trigger_and_the_target():
    data = training((28, 28, 1))
    backdoor = LowFrequency(target=3).poison(data, 4)
    rows = backdoor.poisoned
    assert (len(rows), len(backdoor.covers)) == (4, 0)
    stamped = backdoor.triggers[0].apply(data.images[rows])
    assert np.array_equal(backdoor.training.images[rows], stamped)
    assert np.all(backdoor.training.labels[rows] == 3)
    assert 3 not in data.labels[rows]


def test_the_seed_fixes_the_pattern():
    first, again, other = (LowFrequency(seed=seed).pattern((8, 8, 1)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("option", "value"),
    [("poison_rate", 1.5), ("amplitude", 0), ("amplitude", 256), ("cutoff", 0), ("cutoff", 1.1)],
)
def test_a_setting_that_makes_no_sense_is_named(option, value):
    with pytest.raises(OptionError, match=f"--{option.replace('_', '-')}"):
        LowFrequency(**{option: value})
