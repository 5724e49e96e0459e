"""Rows 29 to 36 of the fault table: data that is sound, and too little, too odd or too much."""

from __future__ import annotations

import tempfile

import keras
import numpy as np
import pytest
from cli.terminal import assert_complaint, done, run
from quadrants import COUNT, LABELS, pictures, stored

PIXELS = pictures()


def test_fault_29_no_image_is_refused(refused, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS[:0], label=LABELS[:0])
    refused(65, "Empty", "no images", clean=path)


def test_fault_29_one_image_is_too_few_for_a_repair_and_twelve_are_doubted(prune, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS[:1], label=LABELS[:1])
    assert_complaint(prune(path), 65, "TooFewImages", "found 1")
    assert [file.name for file in tmp_path.iterdir()] == ["f.h5"]
    path = stored(tmp_path / "g.h5", data=PIXELS[:12], label=LABELS[:12])
    outcome = prune(path)
    assert outcome.code == 0, outcome.err
    assert "how much to prune is chosen by 2 held-out images only" in outcome.err


def test_fault_30_one_class_alone_is_doubted(prune, tmp_path):
    rows = LABELS == 2
    outcome = prune(stored(tmp_path / "f.h5", data=PIXELS[rows], label=LABELS[rows]))
    assert outcome.code == 0, outcome.err
    assert "warning: 3 of 4 classes have no clean image (0, 1, 3)" in outcome.err


def test_fault_31_a_model_that_answers_as_chance_does_is_doubted(prune, tmp_path):
    path = stored(tmp_path / "f.h5", data=PIXELS, label=np.roll(LABELS, 1))
    outcome = prune(path)
    assert outcome.code in {0, 65}, outcome.err
    assert "answers only 0.00 % of the clean images right; check the labels" in outcome.err


def test_fault_32_a_guard_that_rejects_all_clean_images_has_no_accuracy(clean, tmp_path):
    image = keras.Input((4, 4, 1))
    say = keras.layers.Dense(5, bias_initializer=keras.initializers.Constant(0))
    net = keras.Model(image, say(keras.layers.Flatten()(image)))
    say.set_weights([np.zeros((16, 5)), np.array([0, 0, 0, 0, 9])])
    net.save(tmp_path / "guard.keras")
    options = ("--clean", clean, "--classes", 4, "--input-range", "0-1", "--format", "json")
    gate = ("--min-accuracy", "0.5")
    outcome = run("evaluate", "--model", tmp_path / "guard.keras", *options, *gate)
    found = outcome.json["models"][0]["clean"]
    assert (outcome.code, found["accuracy"], found["false_rejection_rate"]) == (1, 0, 1)


def test_fault_33_success_counts_the_label_and_recovery_the_true_one(model, tmp_path):
    zeros = np.zeros(COUNT, int)
    arrays = {"data": PIXELS, "label": zeros, "true_label": LABELS}
    files = {
        "both": stored(tmp_path / "b.h5", **arrays),
        "alone": stored(tmp_path / "a.h5", data=PIXELS, label=zeros),
    }
    options = [part for name, file in files.items() for part in ("--poisoned", f"{name}={file}")]
    common = ("--input-range", "0-1", "--format", "json")
    rows = done("evaluate", "--model", model, *options, *common).json["models"][0]["attacks"]
    both, alone = rows
    # The ten images that show the target do not count where that is known.
    assert (both["attack_success_rate"], both["recovered_accuracy"], both["n"]) == (0, 1, 30)
    assert (alone["attack_success_rate"], alone["recovered_accuracy"]) == (0.25, None)


def test_fault_34_a_set_that_is_given_for_two_things_is_doubted(prune, clean, tmp_path):
    copy = tmp_path / "copy.h5"
    copy.write_bytes(clean.read_bytes())
    outcome = prune(clean, "--test", copy, "--poisoned", f"same={clean}")
    assert outcome.code == 0, outcome.err
    assert "copy.h5 is given as --test and holds the images of --clean" in outcome.err
    assert "is given as clean and as poisoned (same)" in outcome.err


@pytest.mark.parametrize("value", [0, 255])
def test_fault_35_constant_and_duplicate_images_divide_by_nothing(prune, tmp_path, value):
    path = stored(tmp_path / "f.h5", data=np.full(PIXELS.shape, value, np.uint8), label=LABELS)
    outcome = prune(path)
    assert outcome.code in {0, 65}, outcome.err
    assert "Warning" not in outcome.err


def test_fault_36_data_without_room_on_disk_is_a_lack_of_resources(refused, tmp_path, monkeypatch):
    np.savez(tmp_path / "f.npz", x=PIXELS, y=LABELS)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 100}))
    words = (f"GiB in {tempfile.gettempdir()} to unpack it", "TMPDIR")
    refused(69, "DiskFull", *words, clean=tmp_path / "f.npz")
