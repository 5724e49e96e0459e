"""Which range images have and which one a model takes."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.data.ranges import (
    RangeTrial,
    range_of,
    scaled,
    scaled_images,
    stored_range,
    try_ranges,
)
from badrepair.errors import DataError
from badrepair.types import Dataset


def dataset(pixels, count=None):
    images = np.asarray(pixels, np.float32).reshape(-1, 1, 1, 1)
    if count:
        images = np.resize(images, (count, 1, 1, 1))
    return Dataset(images=images, labels=np.zeros(len(images), np.int64), name="clean")


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [([0, 1], "0-1"), ([0.2, 0.9], "0-1"), ([0, 255], "0-255"), ([3, 2.5], "0-255"), ([0], "0-1")],
)
def test_the_range_shows_in_the_extremes(pixels, expected):
    assert stored_range(dataset(pixels)) == expected


@pytest.mark.parametrize(
    ("pixels", "found"),
    [([-1, 1], "-1..1"), ([-3, 200], "-3..200"), ([0, 1.5], "0..1.5"), ([0, 256], "0..256")],
)
def test_other_ranges_are_refused(pixels, found):
    with pytest.raises(DataError) as caught:
        stored_range(dataset(pixels))
    assert caught.value.code == "RangeUnknown"
    assert caught.value.problem.endswith(f"found {found}")
    assert caught.value.hint == "--input-range as-is"


@pytest.mark.parametrize("count", [1_000, 1_001, 5_000])
def test_the_sample_is_spread_from_the_first_image_to_the_last(count):
    for bright in (0, count - 1):
        pixels = np.zeros(count)
        pixels[bright] = 255
        assert stored_range(dataset(pixels)) == "0-255"


def test_bytes_are_divided_by_255_as_everyone_does():
    data = scaled(dataset(np.arange(256)), "0-255", "0-1")
    assert data.images.shape == (256, 1, 1, 1)
    assert data.images[:].dtype == np.float32
    assert np.array_equal(data.images[:].ravel(), np.arange(256, dtype=np.float32) / 255)


def test_shares_are_multiplied_by_255():
    data = scaled(dataset([0, 0.2, 1]), "0-1", "0-255")
    assert data.images[1:].ravel().tolist() == [51, 255]


@pytest.mark.parametrize("wanted", ["0-255", "as-is"])
def test_nothing_is_scaled_needlessly(wanted):
    data = dataset([0, 255])
    assert scaled(data, "0-255", wanted) is data


def right_where(brightest, right, otherwise):
    """Return a judge of which images are answered right, by the range that they come in."""

    def right_of(data):
        answers = right if data.images[:].max() == brightest else otherwise
        return np.resize(np.array(answers, dtype=bool), len(data))

    return right_of


@pytest.mark.parametrize("pixels", [[0, 1], [0, 255]])
@pytest.mark.parametrize(("takes", "name"), [(1, "0-1"), (255, "0-255")])
def test_the_range_with_the_better_answers_wins_whatever_is_stored(pixels, takes, name):
    trial = try_ranges(dataset(pixels, count=500), right_where(takes, [1, 1, 1, 1, 0], [0]))
    other = {"0-1": "0-255", "0-255": "0-1"}[name]
    assert trial.best == name
    assert trial.decisive
    assert trial.accuracies == {name: 0.8, other: 0.0}
    assert trial.n == 500


def test_only_images_that_the_ranges_answer_differently_count():
    # 6 images are right at 0..1 only, none at 0..255 only: two tails of (1/2)^6 make 1/32.
    judge = right_where(1, [1] * 6 + [1] * 4 + [0] * 2, [0] * 6 + [1] * 4 + [0] * 2)
    trial = try_ranges(dataset([0, 255], count=12), judge)
    assert trial.p_value == pytest.approx(1 / 32)
    assert trial.decisive


def test_five_against_none_is_not_enough():
    trial = try_ranges(dataset([0, 255], count=5), right_where(1, [1], [0]))
    assert trial.p_value == pytest.approx(2 / 32)
    assert not trial.decisive


def test_one_against_one_says_nothing():
    trial = try_ranges(dataset([0, 255], count=2), right_where(1, [1, 0], [0, 1]))
    assert trial.p_value == 1
    assert not trial.decisive


def test_equal_answers_say_nothing_and_both_ranges_are_named():
    trial = try_ranges(dataset([0, 255], count=10), right_where(1, [1], [1]))
    assert trial.p_value == 1
    assert trial.sentence == (
        "the range is in doubt: clean accuracy 100.0 % at 0..1 against 100.0 % at 0..255"
        " (10 images)"
    )


def test_a_decision_is_said_in_one_line():
    trial = RangeTrial(accuracies={"0-1": 0.0128, "0-255": 0.972}, n=500, p_value=1e-9)
    assert trial.sentence == (
        "the model takes 0..255: clean accuracy 97.2 % at 0..255 against 1.3 % at 0..1 (500 images)"
    )


def test_no_more_than_the_sample_is_scored():
    sizes = []

    def right_of(data):
        sizes.append(len(data))
        return np.ones(len(data), dtype=bool)

    assert try_ranges(dataset([0, 255], count=500), right_of, sample=60).n == 60
    assert sizes == [60, 60]


@pytest.mark.parametrize("pixel", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_do_not_tell_the_range(pixel):
    images = dataset([0, 0.5, pixel, 1]).images
    assert range_of(images, "stream") == "0-1"
    assert range_of(255 * images, "stream") == "0-255"
    with pytest.raises(DataError, match=r"RangeUnknown.*none that are finite"):
        range_of(dataset([pixel]).images, "stream")


def test_images_alone_are_scaled_as_those_of_a_data_set():
    data = dataset(np.arange(256))
    unit = scaled_images(data.images, "0-255", "0-1")
    assert np.array_equal(unit[:], scaled(data, "0-255", "0-1").images[:])
    assert scaled_images(data.images, "0-255", "as-is") is data.images
