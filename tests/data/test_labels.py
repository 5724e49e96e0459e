"""Labels as files have them become class numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from badrepair.data.labels import class_numbers, require_few
from badrepair.errors import DataError

WHERE = Path("f.h5")
ONE_HOT = np.eye(4)[[0, 3, 1]]


@pytest.mark.parametrize(
    "stored",
    [
        np.array([0, 3, 1]),
        np.array([0, 3, 1], np.uint8),
        np.array([0.0, 3.0, 1.0], np.float32),
        np.array([[0], [3], [1]]),
        np.array([[0.0], [3.0], [1.0]]),
        ONE_HOT,
        ONE_HOT.astype(np.uint8),
        ONE_HOT.astype(bool),
    ],
    ids=lambda stored: f"{stored.dtype}{stored.shape}",
)
def test_every_form_gives_the_same_class_numbers(stored):
    labels = class_numbers(stored, 3, 4, WHERE)
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 3, 1]


def refused(stored, count=3, classes=10):
    with pytest.raises(DataError) as caught:
        class_numbers(np.asarray(stored), count, classes, WHERE)
    assert caught.value.exit_code == 65
    return caught.value.code, caught.value.problem


def test_halves_are_refused_with_their_rows():
    assert refused([0, 2.5, 1]) == (
        "LabelNotInteger",
        "expected whole class numbers, found 2.5 in row 1",
    )


def test_many_bad_rows_are_counted():
    code, problem = refused([np.nan, 1, *[np.inf] * 6], count=8)
    assert code == "LabelNotInteger"
    assert problem.endswith("found nan in rows 0, 2, 3, 4, 5 and 2 more")


def test_labels_from_one_are_explained():
    with pytest.raises(DataError) as caught:
        class_numbers(np.arange(1, 11), 10, 10, WHERE)
    assert caught.value.code == "LabelRange"
    assert caught.value.problem == "labels 1..10, the model has the classes 0..9"
    assert "--label-offset -1" in caught.value.hint


@pytest.mark.parametrize("stored", [[-1, 0, 1], [0, 0, 10], [0.0, 0.0, 1e30], [0, 0, 2**63]])
def test_labels_outside_the_classes_are_refused(stored):
    assert refused(stored)[0] == "LabelRange"


@pytest.mark.parametrize("stored", [[-1, 0, 1], [0.0, 0.0, 1e30]])
def test_impossible_labels_are_refused_for_an_unknown_number_of_classes(stored):
    assert refused(stored, classes=None)[0] == "LabelRange"


def test_any_class_goes_where_their_number_is_unknown():
    assert class_numbers(np.array([5, 1282]), 2, None, WHERE).tolist() == [5, 1282]


def test_one_hot_beyond_the_classes_is_refused():
    assert refused(ONE_HOT, classes=3) == (
        "LabelRange",
        "labels 0..3, the model has the classes 0..2",
    )


@pytest.mark.parametrize(
    "row", [[0, 0, 0, 0], [1, 1, 0, 0], [0.9, 0.1, 0, 0], [2, 0, 0, 0], [np.nan, 1, 0, 0]]
)
def test_what_is_not_quite_one_hot_is_refused_with_its_row(row):
    code, problem = refused(np.array([ONE_HOT[0], row, ONE_HOT[1]]))
    assert code == "LabelShape"
    assert problem.endswith("not one-hot in row 1")


def test_numbers_of_images_and_labels_must_agree():
    assert refused([0, 1], count=3) == ("CountMismatch", "3 images but 2 labels")
    assert refused(7, count=3) == ("CountMismatch", "3 images but a single label")


@pytest.mark.parametrize(
    "stored", [[True, False, True], ["0", "1", "2"], [b"0", b"1", b"2"], [1j] * 3]
)
def test_what_is_no_number_is_refused(stored):
    assert refused(stored)[0] == "LabelType"


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 2, 2)])
def test_labels_with_three_axes_are_refused(shape):
    assert refused(np.zeros(shape))[0] == "LabelShape"


@pytest.mark.parametrize("dtype", ["u1", "i8", "f2"])
def test_an_offset_is_added_whatever_the_type(dtype):
    labels = class_numbers(np.array([1, 3, 2], dtype), 3, 3, WHERE, offset=-1)
    assert labels.tolist() == [0, 2, 1]
    assert labels.dtype == np.int64


def test_an_offset_that_leads_out_of_the_classes_is_refused():
    with pytest.raises(DataError, match=r"LabelRange.*labels -1\.\.1"):
        class_numbers(np.array([0, 2, 1], np.uint8), 3, 3, WHERE, offset=-1)


def test_labels_that_no_memory_holds_are_refused_by_their_shape():
    require_few((2**22, 8), np.dtype("i8"), "y", WHERE)
    with pytest.raises(DataError, match=r"DataBomb.*y declares 301,989,888 bytes of labels"):
        require_few((2**22, 9), np.dtype("i8"), "y", WHERE)


def test_more_labels_than_any_data_has_are_refused_however_small_they_are():
    require_few((2**24,), np.dtype("u1"), "y", WHERE)
    with pytest.raises(DataError, match=r"DataBomb.*y declares 16,777,217 labels, expected at"):
        require_few((2**24 + 1,), np.dtype("u1"), "y", WHERE)


def test_one_hot_is_judged_in_pieces_that_give_the_same(monkeypatch):
    monkeypatch.setattr("badrepair.data.labels._VALUES_AT_ONCE", 9)
    numbers = np.arange(11) % 4
    assert class_numbers(np.eye(4)[numbers], 11, 4, WHERE).tolist() == numbers.tolist()
    spoilt = np.eye(4)[numbers]
    spoilt[[1, 7]] = 0
    assert refused(spoilt, count=11)[1].endswith("not one-hot in rows 1, 7")
