"""Which array holds the images, which the labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from badrepair.data.keys import choose_image_key, choose_keys, true_label_key
from badrepair.errors import DataError

WHERE = Path("f.h5")


@pytest.mark.parametrize(
    ("found", "image_key", "label_key", "expected"),
    [
        (["data", "label"], None, None, ("data", "label")),
        (["data", "label", "x"], None, None, ("data", "label")),
        (["data", "label", "x", "y"], "x", None, ("x", "y")),
        (["data", "label", "x", "y"], "x", "label", ("x", "label")),
        (["x_test", "y_test", "x_train", "y_train"], "x_train", None, ("x_train", "y_train")),
        (["faces", "label"], "faces", None, ("faces", "label")),
        (["faces", "label", "y"], "faces", None, ("faces", None)),
        (["faces"], "faces", None, ("faces", None)),
        (["data", "who"], None, "who", ("data", "who")),
    ],
)
def test_keys_are_chosen(found, image_key, label_key, expected):
    assert choose_keys(found, image_key, label_key, WHERE) == expected


@pytest.mark.parametrize(
    ("found", "image_key", "label_key", "code"),
    [
        ([], None, None, "KeyMissing"),
        (["data"], None, None, "KeyMissing"),
        (["data", "labels"], None, None, "KeyMissing"),
        (["data", "label"], "faces", None, "KeyMissing"),
        (["data", "label"], None, "who", "KeyMissing"),
        (["who"], None, "who", "KeyMissing"),
        (["data", "label", "images", "labels"], None, None, "KeyAmbiguous"),
        (["data", "x", "who"], None, "who", "KeyAmbiguous"),
    ],
)
def test_what_is_missing_or_ambiguous_is_refused(found, image_key, label_key, code):
    with pytest.raises(DataError) as caught:
        choose_keys(found, image_key, label_key, WHERE)
    assert caught.value.code == code
    assert "--image-key" in caught.value.hint


def test_long_lists_of_keys_are_cut():
    with pytest.raises(DataError) as caught:
        choose_keys([f"k{i:02}" for i in range(30)], None, None, WHERE)
    assert caught.value.problem.endswith("k18, k19, ...")


def test_true_labels_are_found_or_not():
    assert true_label_key(["data", "true_labels"]) == "true_labels"
    assert true_label_key(["data", "label"]) is None


@pytest.mark.parametrize(
    ("found", "image_key", "expected"),
    [
        (["data", "label"], None, "data"),
        (["data"], None, "data"),
        (["images", "other"], None, "images"),
        (["arr_0"], None, "arr_0"),
        (["data", "faces"], "faces", "faces"),
    ],
)
def test_images_are_found_without_labels(found, image_key, expected):
    assert choose_image_key(found, image_key, WHERE) == expected


@pytest.mark.parametrize(
    ("found", "image_key", "code", "named"),
    [
        ([], None, "KeyMissing", "found no key"),
        (["data"], "faces", "KeyMissing", "expected the key faces, found data"),
        (["a", "b"], None, "KeyAmbiguous", "a and b all fit"),
        (["data", "x"], None, "KeyAmbiguous", "data and x all fit"),
    ],
)
def test_images_that_cannot_be_told_are_asked_for(found, image_key, code, named):
    with pytest.raises(DataError) as caught:
        choose_image_key(found, image_key, WHERE)
    assert caught.value.code == code
    assert named in caught.value.problem
    assert caught.value.hint == "--image-key names it"
