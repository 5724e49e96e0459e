"""Whatever is stored, a data set shows whole pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from badrepair.datasets.reading.pixels import pixels
from badrepair.errors import DataError

WHERE = Path("file")


def test_bytes_stay_what_they_are():
    stored = np.arange(2 * 5 * 4 * 3, dtype=np.uint8).reshape(2, 5, 4, 3)
    found = pixels(stored, WHERE)
    assert found.shape == (2, 5, 4, 3)
    assert found[:].dtype == np.uint8
    assert np.array_equal(found[:], stored)


def test_floats_up_to_one_become_the_nearest_pixels():
    # 255 * 0.5 = 127.5, whose even neighbour is 128; 255 * 0.7 = 178.5, whose is 178.
    stored = np.array([[[0.0, 0.5], [0.7, 1.0]], [[0.1, 0.2], [51 / 255, 254.4 / 255]]], np.float32)
    assert pixels(stored, WHERE)[:].ravel().tolist() == [0, 128, 178, 255, 26, 51, 51, 254]


def test_floats_up_to_255_are_rounded():
    stored = np.array([[[0.4, 254.6], [3, 255]]])
    assert pixels(stored, WHERE)[:].ravel().tolist() == [0, 255, 3, 255]


@pytest.mark.parametrize(
    ("stored", "shape"),
    [
        ((5, 28, 28), (5, 28, 28, 1)),
        ((5, 28, 28, 1), (5, 28, 28, 1)),
        ((5, 1, 28, 28), (5, 28, 28, 1)),
        ((5, 3, 55, 47), (5, 55, 47, 3)),
        ((5, 55, 47, 3), (5, 55, 47, 3)),
    ],
)
def test_channels_are_last_wherever_they_stood(stored, shape):
    values = np.random.default_rng(0).integers(0, 256, stored, dtype=np.uint8)
    found = pixels(values, WHERE)[:]
    assert found.shape == shape
    turned = values.transpose(0, 2, 3, 1) if stored[1] < 4 else values.reshape(shape)
    assert np.array_equal(found, turned)


def test_any_rows_can_be_asked_for_in_any_order():
    stored = np.random.default_rng(1).integers(0, 256, (250, 2, 2), dtype=np.uint8)
    found = pixels(stored, WHERE)
    rows = np.array([249, 0, 101, 101])
    assert np.array_equal(found[rows][..., 0], stored[rows])
    assert np.array_equal(found[3:240:7][..., 0], stored[3:240:7])
    assert found[5:5].shape == (0, 2, 2, 1)


@pytest.mark.parametrize("shape", [(4, 9), (4, 8, 8, 2), (4, 2, 8, 8), (4, 1, 8, 8, 1)])
def test_what_is_neither_grey_nor_in_colour_is_refused(shape):
    with pytest.raises(DataError, match="1 or 3 channels"):
        pixels(np.zeros(shape, np.uint8), WHERE)


def test_values_in_no_known_range_are_refused():
    with pytest.raises(DataError, match="RangeUnknown"):
        pixels(np.linspace(-1, 1, 8).reshape(2, 2, 2), WHERE)
