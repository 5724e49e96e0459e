"""Where height, width and channels stand, judged by what the model takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from badrepair.data.layout import channels_last, find_layout, turned
from badrepair.errors import DataError

WHERE = Path("f.h5")


@pytest.mark.parametrize(
    ("row", "model", "expected"),
    [
        ((55, 47, 3), (55, 47, 3), "nhwc"),
        ((3, 55, 47), (55, 47, 3), "nchw"),
        ((3, 32, 32), (None, None, 3), "nchw"),
        ((32, 32, 3), (None, None, 3), "nhwc"),
        ((1, 28, 28), (28, 28, 1), "nchw"),
        ((28, 28), (28, 28, 1), "nhwc"),
        ((28, 28), (None, None, 1), "nhwc"),
        ((3, 3, 5), (3, 5, 3), "nchw"),
    ],
)
def test_the_layout_follows_from_the_model(row, model, expected):
    assert find_layout(row, model, "auto", WHERE) == expected


@pytest.mark.parametrize(("row", "model"), [((3, 3, 3), (3, 3, 3)), ((3, 47, 3), (None, None, 3))])
def test_what_fits_both_ways_must_be_said(row, model):
    with pytest.raises(DataError, match=r"LayoutAmbiguous.*--layout"):
        find_layout(row, model, "auto", WHERE)
    assert find_layout(row, model, "nchw", WHERE) == "nchw"
    assert find_layout(row, model, "nhwc", WHERE) == "nhwc"


def test_a_mismatch_shows_both_shapes():
    with pytest.raises(DataError) as caught:
        find_layout((32, 32, 3), (55, 47, 3), "auto", WHERE)
    assert caught.value.code == "ShapeMismatch"
    assert "(55, 47, 3)" in caught.value.problem
    assert "(32, 32, 3)" in caught.value.problem


def test_a_layout_that_was_asked_for_must_fit():
    with pytest.raises(DataError, match=r"read as \(C, H, W\)"):
        find_layout((55, 47, 3), (55, 47, 3), "nchw", WHERE)


def test_grey_images_do_not_fit_a_model_with_colours():
    with pytest.raises(DataError, match=r"ShapeMismatch.*grey"):
        find_layout((28, 28), (28, 28, 3), "auto", WHERE)


@pytest.mark.parametrize("row", [(), (784,), (1, 1, 28, 28)])
def test_rows_that_are_no_images_are_refused(row):
    for layout in ("auto", "nhwc", "nchw"):
        with pytest.raises(DataError, match="ShapeMismatch"):
            find_layout(row, (28, 28, 1), layout, WHERE)


def test_rows_are_turned_to_channels_last():
    rows = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert channels_last(rows, "nchw").shape == (2, *turned((3, 4, 5), "nchw")) == (2, 4, 5, 3)
    assert channels_last(rows, "nchw")[1, 2, 3, 0] == rows[1, 0, 2, 3]
    assert channels_last(rows, "nhwc") is rows
    assert channels_last(rows[:, 0], "nchw").shape == (2, *turned((4, 5), "nchw")) == (2, 4, 5, 1)
