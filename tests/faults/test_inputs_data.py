"""Rows 16 to 28 of the fault table: what may be wrong with arrays, and what is odd but right."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from cli.terminal import assert_complaint, done, run
from PIL import Image
from quadrants import COUNT, LABELS, network, pictures, stored

PIXELS = pictures()


def changed(values, place, value):
    values = values.copy()
    values[place] = value
    return values


def test_fault_16_missing_keys_are_answered_with_those_found(refused, measured, tmp_path):
    path = stored(tmp_path / "f.h5", faces=PIXELS, people=LABELS)
    words = ("data and label", "found faces, people", "--image-key")
    refused(65, "KeyMissing", *words, clean=path)
    keys = ("--image-key", "faces", "--label-key", "people")
    assert measured(path, *keys)[:2] == (1.0, COUNT)


def virtual(file, other):
    layout = h5py.VirtualLayout(PIXELS.shape, np.uint8)
    layout[:] = h5py.VirtualSource(str(other), "data", PIXELS.shape)
    file.create_virtual_dataset("data", layout)


def outside(file, other):
    file["data"] = h5py.ExternalLink(str(other), "data")


def text(file, other):
    file["data"] = np.full(COUNT, b"text")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda file, other: file.create_group("data/inside"), "KeyMissing"),
        (virtual, "H5Virtual"),
        (outside, "H5Link"),
        (text, "H5Dtype"),
    ],
    ids=["group", "virtual", "external", "text"],
)
def test_fault_17_what_is_no_array_of_the_file_itself_is_refused(
    refused, clean, tmp_path, make, kind
):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["label"] = LABELS
        make(file, clean)
    refused(65, kind, str(tmp_path / "f.h5"), "data", clean=tmp_path / "f.h5")


def test_fault_18_channels_first_are_turned(measured, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS.transpose(0, 3, 1, 2), label=LABELS)
    assert measured(path)[:2] == (1.0, COUNT)


def test_fault_18_a_layout_that_does_not_show_is_asked_for(refused, tmp_path):
    net = network(shape=(4, 4, 4))
    net.save(tmp_path / "cube.keras")
    path = stored(tmp_path / "f.h5", data=np.repeat(PIXELS, 4, axis=3), label=LABELS)
    options = ("--layout nhwc or --layout nchw",)
    refused(65, "LayoutAmbiguous", *options, clean=path, model=tmp_path / "cube.keras")


@pytest.mark.parametrize("labels", [np.eye(4)[LABELS], LABELS[:, None]], ids=["hot", "column"])
def test_fault_19_one_hot_and_column_labels_are_understood(measured, tmp_path, labels):
    assert measured(stored(tmp_path / "f.h5", data=PIXELS, label=labels))[:2] == (1.0, COUNT)


def test_fault_20_whole_floats_are_labels(measured, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS, label=LABELS.astype(np.float16))
    assert measured(path)[:2] == (1.0, COUNT)


@pytest.mark.parametrize("value", [2.5, np.nan])
def test_fault_20_other_floats_are_refused_with_their_rows(refused, tmp_path, value):
    labels = changed(LABELS.astype(float), [3, 7], value)
    path = stored(tmp_path / "f.h5", data=PIXELS, label=labels)
    refused(65, "LabelNotInteger", f"{value:g} in rows 3, 7", clean=path)


def test_fault_21_labels_from_one_are_told_and_mended(refused, measured, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS, label=(LABELS + 1).astype(np.uint8))
    words = ("labels 1..4, the model has the classes 0..3", "--label-offset -1")
    refused(65, "LabelRange", *words, clean=path)
    assert measured(path, "--label-offset", -1)[:2] == (1.0, COUNT)


@pytest.mark.parametrize(("labels", "found"), [(LABELS - 1, "-1..2"), (LABELS + 97, "97..100")])
def test_fault_21_negative_and_too_large_labels_are_refused(refused, tmp_path, labels, found):
    path = stored(tmp_path / "f.h5", data=PIXELS, label=labels)
    refused(65, "LabelRange", f"labels {found}, the model has", clean=path)


def test_fault_22_fewer_classes_than_the_model_has_are_named(prune, measured, tmp_path):
    rows = LABELS < 2
    path = stored(tmp_path / "f.h5", data=PIXELS[rows], label=LABELS[rows])
    assert measured(path)[:2] == (1.0, COUNT // 2)
    outcome = prune(path)
    assert outcome.code == 0, outcome.err
    assert "warning: 2 of 4 classes have no clean image (2, 3)" in outcome.err


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_fault_23_pixels_that_are_no_numbers_are_refused_or_left_out(
    refused, measured, tmp_path, value
):
    images = changed(PIXELS.astype(np.float32), ([5, 8], 0, 0, 0), value)
    path = stored(tmp_path / "f.h5", data=images, label=LABELS)
    refused(65, "NotFinite", "image 5 has 1 pixel", "--skip-bad", clean=path)
    accuracy, n, err = measured(path, "--skip-bad")
    assert (accuracy, n) == (1.0, COUNT - 2)
    assert err == f"{path}: 2 of 40 images are not finite and left out\n"


def test_fault_23_a_file_without_a_finite_image_is_empty(refused, tmp_path):
    path = stored(tmp_path / "f.h5", data=np.full(PIXELS.shape, np.nan), label=LABELS)
    options = ("--skip-bad", "--input-range", "0-1")
    refused(65, "Empty", "every image", clean=path, options=options)


def test_fault_24_other_numbers_of_images_and_labels_are_refused(refused, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS, label=LABELS[:-1])
    refused(65, "CountMismatch", "40 images but 39 labels", clean=path)


def test_fault_25_images_of_another_shape_are_refused_with_both(refused, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS[:, :3], label=LABELS)
    refused(65, "ShapeMismatch", "(4, 4, 1)", "(3, 4, 1)", clean=path)
    network(shape=(4, 4, 3)).save(tmp_path / "color.keras")
    grey = stored(tmp_path / "g.h5", data=PIXELS[..., 0], label=LABELS)
    words = ("the images are grey: repeat their one channel",)
    refused(65, "ShapeMismatch", *words, clean=grey, model=tmp_path / "color.keras")


def test_fault_25_a_picture_of_another_size_is_resized_only_if_asked_for(model, tmp_path):
    path = tmp_path / "large.png"
    Image.fromarray(PIXELS[2, ..., 0]).resize((8, 8), Image.Resampling.NEAREST).save(path)
    asked = ("predict", "--model", model, "--input-range", "0-1", path)
    assert_complaint(run(*asked), 65, "SizeMismatch", "expected 4 x 4", "found 8 x 8", "--resize")
    assert done(*asked, "--resize").out == "2\n"


def test_fault_26_the_range_is_found_out_and_told(measured, clean):
    accuracy, _, err = measured(clean, input_range="auto")
    assert accuracy == 1
    assert err == (
        "model: the model takes 0..1: clean accuracy 100.0 % at 0..1 against 75.0 % at 0..255 (40"
        " images)\n"
    )


def test_fault_26_a_range_that_does_not_show_is_asked_for(refused, tmp_path):
    net = network()
    net.get_layer("say").set_weights([np.zeros((4, 4)), np.zeros(4)])
    net.save(tmp_path / "unsure.keras")
    words = ("the range is in doubt", "--input-range 0-1 or --input-range 0-255")
    refused(65, "RangeAmbiguous", *words, model=tmp_path / "unsure.keras", options=())


def test_fault_26_images_from_minus_one_to_one_are_taken_as_they_are_if_asked_for(
    refused, measured, tmp_path
):
    path = stored(tmp_path / "f.h5", data=PIXELS / 127.5 - 1, label=LABELS)
    refused(65, "RangeUnknown", "found -0.8", "--input-range as-is", clean=path)
    assert measured(path, input_range="as-is")[1] == COUNT


def test_fault_27_files_of_different_ranges_are_each_read_in_their_own(model, tmp_path):
    unit = stored(tmp_path / "u.h5", data=PIXELS / 255, label=LABELS)
    zeros = np.zeros(COUNT, int)
    patched = stored(tmp_path / "p.h5", data=PIXELS, label=zeros, true_label=LABELS)
    files = ("--clean", unit, "--poisoned", patched, "--input-range", "0-1")
    found = done("evaluate", "--model", model, *files, "--format", "json").json["models"][0]
    assert found["clean"]["accuracy"] == found["attacks"][0]["recovered_accuracy"] == 1


@pytest.mark.parametrize("dtype", ["u1", "f2", "f4", "f8", "i8", ">u2"])
def test_fault_28_any_type_of_numbers_is_read(measured, tmp_path, dtype):
    path = stored(tmp_path / "f.h5", data=PIXELS.astype(dtype), label=LABELS)
    assert measured(path)[:2] == (1.0, COUNT)


def test_fault_28_booleans_are_black_and_white(measured, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS > 128, label=LABELS)
    assert measured(path)[:2] == (1.0, COUNT)


def test_fault_28_complex_numbers_and_objects_are_refused(refused, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS.astype(complex), label=LABELS)
    refused(65, "H5Dtype", "complex128", clean=path)
    np.savez(tmp_path / "f.npz", x=PIXELS.astype(complex), y=LABELS)
    refused(65, "PixelType", "complex128", clean=tmp_path / "f.npz")
