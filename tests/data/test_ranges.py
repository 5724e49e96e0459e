"""Which range images have and which one a model takes."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.data.ranges import choose_range, scaled, stored_range
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


def brightness_judge(good, bad, takes):
    """Return an accuracy function: `good` if the brightest pixel is that of the range it takes."""

    def accuracy_of(data):
        return good if data.images[:].max() == takes else bad

    return accuracy_of


@pytest.mark.parametrize("pixels", [[0, 1], [0, 255]])
@pytest.mark.parametrize(("takes", "name"), [(1, "0-1"), (255, "0-255")])
def test_the_range_with_the_better_answers_wins(pixels, takes, name):
    data = dataset(pixels, count=500)
    choice = choose_range(data, brightness_judge(0.972, 0.013, takes))
    other = {"0-1": "0-255", "0-255": "0-1"}[name]
    assert choice.model_range == name
    assert choice.accuracies == {name: 0.972, other: 0.013}
    assert choice.n == 500


def test_the_choice_is_said_in_one_line():
    choice = choose_range(dataset([0, 255], count=500), brightness_judge(0.972, 0.013, 1))
    assert choice.sentence == (
        "the model takes 0..1: clean accuracy 97.2 % against 1.3 % at 0..255 (500 images)"
    )


def test_no_more_than_the_sample_is_scored():
    sizes = []

    def accuracy_of(data):
        sizes.append(len(data))
        return float(data.images[:].max() == 1)

    assert choose_range(dataset([0, 255], count=500), accuracy_of, sample=60).n == 60
    assert sizes == [60, 60]


def test_overlapping_intervals_are_not_decided():
    # Wilson at n = 10: 5 hits 0.237..0.763, 9 hits 0.596..0.982; at n = 100: 50 hits
    # 0.404..0.596 and 90 hits 0.826..0.945.
    judge = brightness_judge(0.9, 0.5, 1)
    with pytest.raises(DataError) as caught:
        choose_range(dataset([0, 255], count=10), judge)
    assert caught.value.code == "RangeAmbiguous"
    assert "90.0 % at 0..1 and 50.0 % at 0..255" in caught.value.problem
    assert caught.value.hint == "--input-range 0-1 or --input-range 0-255"
    assert choose_range(dataset([0, 255], count=100), judge).model_range == "0-1"


def test_equal_accuracies_are_not_decided():
    with pytest.raises(DataError, match="RangeAmbiguous"):
        choose_range(dataset([0, 255], count=500), lambda data: 1.0)
