"""Files that a user may give by mistake: each is one clear line, and nothing is written."""

from __future__ import annotations

import os
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from cli.terminal import assert_refused, done, listing, run

AS_JSON = ("--format", "json", "--input-range", "0-1")


@pytest.fixture
def prune(bench, tmp_path):
    """Return a function that runs `prune` and checks that nothing was written."""

    def prune(*options, model=bench.model):
        output = tmp_path / "new.keras"
        before = listing(tmp_path)
        common = ("--input-range", "0-1", "--epochs", 0, "-o", output)
        outcome = run("prune", "--model", model, *common, *options)
        assert listing(tmp_path) == before
        return outcome

    return prune


def with_first(values, value):
    """Return a copy whose first element is another."""
    changed = values.copy()
    changed.flat[0] = value
    return changed


def test_a_missing_file_is_named_in_full_with_a_similar_one(bench, prune):
    outcome = prune("--clean", bench.folder / "clan.h5")
    hint = "did you mean clean.h5?"
    assert_refused(outcome, 66, "InputMissing", str(bench.folder / "clan.h5"), hint)


@pytest.mark.parametrize("option", ["--test", "--poisoned", "--clean"])
def test_a_missing_file_is_found_out_whatever_it_is_for(bench, prune, option, tmp_path):
    named = {"--clean": bench.clean} | {option: tmp_path / "none.h5"}
    outcome = prune(*(part for pair in named.items() for part in pair))
    assert_refused(outcome, 66, "InputMissing", str(tmp_path / "none.h5"))


def test_a_missing_model_is_named(bench, prune, tmp_path):
    outcome = prune("--clean", bench.clean, model=tmp_path / "none.keras")
    assert_refused(outcome, 66, "InputMissing", str(tmp_path / "none.keras"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named_with_its_mode(bench, prune, tmp_path):
    path = tmp_path / "secret.h5"
    path.write_bytes(bench.clean.read_bytes())
    path.chmod(0)
    assert_refused(prune("--clean", path), 66, "InputUnreadable", "----------")


def test_a_pipe_is_refused_at_once(prune, tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert_refused(prune("--clean", path), 65, "NotAFile", "a pipe")


def test_data_given_as_a_model_is_refused_with_a_word_on_that(bench, prune):
    outcome = prune("--clean", bench.clean, model=bench.clean)
    assert_refused(outcome, 65, "UnknownFormat", str(bench.clean), "looks like a data file")


def test_a_model_given_as_data_is_refused(bench, prune, tmp_path):
    path = tmp_path / "whole.h5"
    keras.saving.load_model(bench.model, compile=False).save(path)
    assert_refused(prune("--clean", path), 65, "KeyMissing", "data and label")
    assert_refused(prune("--clean", bench.model), 65, "KeyMissing", str(bench.model))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "0 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"\x80\x04\x95", "pickle"),
        (b"\x89PNG\r\n\x1a\n", "single picture"),
    ],
)
def test_what_is_no_data_set_is_named(prune, tmp_path, content, word):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert_refused(prune("--clean", path), 65, "UnknownFormat", word)


def test_a_file_that_was_cut_off_is_told(bench, prune, tmp_path):
    path = tmp_path / "half.h5"
    path.write_bytes(bench.clean.read_bytes()[:30_000])
    assert_refused(prune("--clean", path), 65, "Truncated", str(path))


def test_a_model_that_was_cut_off_is_told(bench, prune, tmp_path):
    path = tmp_path / "half.keras"
    path.write_bytes(bench.model.read_bytes()[:30_000])
    assert_refused(prune("--clean", bench.clean, model=path), 65, "Truncated", str(path))


def test_images_of_another_size_are_refused_with_both_shapes(prune, arrays, write_h5):
    path = write_h5("small.h5", data=arrays["data"][:, :, :12], label=arrays["label"])
    assert_refused(prune("--clean", path), 65, "ShapeMismatch", "(16, 16, 1)", "(1, 12, 16)")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_no_numbers_are_refused_with_their_row(prune, arrays, write_h5, value):
    pixels = arrays["data"].astype(np.float32)
    pixels[3, 0, 0, 0] = value
    path = write_h5("nan.h5", data=pixels, label=arrays["label"])
    assert_refused(prune("--clean", path), 65, "NotFinite", "image 3", str(path))


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda labels: labels + 1, "LabelRange", ("1..10", "0..9", "count from 1")),
        (lambda labels: labels * 2, "LabelRange", ("0..18", "0..9")),
        (lambda labels: labels - 1, "LabelRange", ("-1..8",)),
        (lambda labels: with_first(labels + 0.0, 2.5), "LabelNotInteger", ("2.5", "row 0")),
        (lambda labels: with_first(labels + 0.0, np.nan), "LabelNotInteger", ("nan", "row 0")),
        (lambda labels: labels[:-1], "CountMismatch", ("250 images", "249 labels")),
        (lambda labels: np.eye(12)[labels] * 0.5, "LabelShape", ("one-hot",)),
        (lambda labels: labels.astype("S"), "H5Dtype", ("label",)),
    ],
)
def test_labels_that_do_not_fit_are_refused(prune, arrays, write_h5, change, kind, words):
    path = write_h5("labels.h5", data=arrays["data"], label=change(arrays["label"]))
    assert_refused(prune("--clean", path), 65, kind, str(path), *words)


def test_missing_keys_are_answered_with_those_there_are(bench, prune, arrays, write_h5):
    path = write_h5("keys.h5", pixels=arrays["data"], classes=arrays["label"])
    outcome = prune("--clean", path)
    assert_refused(outcome, 65, "KeyMissing", "data and label", "classes, pixels", "--image-key")
    keys = ("--image-key", "pixels", "--label-key", "classes")
    measured = done("evaluate", "--model", bench.model, "--clean", path, *keys, *AS_JSON)
    assert measured.json["models"][0]["clean"]["n"] == 250


def test_an_empty_set_is_refused(prune, arrays, write_h5):
    path = write_h5("empty.h5", data=arrays["data"][:0], label=arrays["label"][:0])
    assert_refused(prune("--clean", path), 65, "Empty", str(path))


def test_an_empty_poisoned_set_is_refused_too(bench, prune, arrays, write_h5):
    path = write_h5("empty.h5", data=arrays["data"][:0], label=arrays["label"][:0])
    assert_refused(prune("--clean", bench.clean, "--poisoned", path), 65, "Empty", str(path))


def test_unlabelled_images_are_refused(prune, arrays, write_h5):
    path = write_h5("bare.h5", data=arrays["data"])
    outcome = prune("--clean", path, "--image-key", "data")
    assert_refused(outcome, 65, "LabelsMissing", "--label-key")


def test_a_bad_model_is_refused_before_the_data_is_looked_at(bench, prune, tmp_path):
    path = tmp_path / "foreign.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    outcome = prune("--clean", bench.clean, model=path)
    assert_refused(outcome, 65, "UnknownFormat", "PyTorch")


def test_weights_without_a_network_ask_for_the_architecture(bench, prune, tmp_path):
    image = keras.Input((16, 16, 1))
    answer = keras.layers.Dense(10, activation="softmax")(keras.layers.Flatten()(image))
    path = tmp_path / "strange.weights.h5"
    keras.Model(image, answer).save_weights(path)
    outcome = prune("--clean", bench.clean, model=path)
    assert_refused(outcome, 65, "ConfigMissing", "--arch", "small-cnn")


def test_an_unknown_architecture_is_answered_with_those_there_are(bench, prune):
    outcome = prune("--clean", bench.clean, "--arch", "resnet", model=bench.model)
    assert_refused(outcome, 2, "UnknownArchitecture", "deepid", "small-cnn")


def test_a_range_that_clean_data_does_not_tell_is_asked_for(tmp_path, arrays, write_h5):
    image = keras.Input((16, 16, 1))
    unsure = keras.layers.Dense(10, kernel_initializer="zeros", activation="softmax")
    model = tmp_path / "unsure.keras"
    keras.Model(image, unsure(keras.layers.Flatten()(image))).save(model)
    path = write_h5("clean.h5", data=arrays["data"], label=arrays["label"])
    outcome = run("evaluate", "--model", model, "--clean", path)
    assert_refused(outcome, 65, "RangeAmbiguous", "--input-range 0-1")


def test_pixels_of_no_known_range_are_refused(prune, arrays, write_h5):
    pixels = arrays["data"].astype(np.float32) / 127.5 - 1
    path = write_h5("signed.h5", data=pixels, label=arrays["label"])
    outcome = prune("--clean", path)
    assert_refused(outcome, 65, "RangeUnknown", "-1..1", "--input-range as-is")


def test_bgr_on_grey_images_is_refused(bench, prune):
    outcome = prune("--clean", bench.clean, "--color", "bgr")
    assert_refused(outcome, 2, "ColorMismatch", "3 channels")


def test_an_external_link_in_a_data_file_is_not_followed(bench, prune, tmp_path):
    path = tmp_path / "link.h5"
    with h5py.File(path, "w") as file:
        file["data"] = h5py.ExternalLink(str(bench.clean), "/data")
        file["label"] = np.zeros(250, int)
    assert_refused(prune("--clean", path), 65, "H5Link", "leads elsewhere")


@pytest.fixture(scope="module")
def unfit(tmp_path_factory):
    """Return the file of a network whose layers fit each other only on paper."""
    path = tmp_path_factory.mktemp("unfit") / "unfit.keras"
    cropping = [layers.Conv2D(2, 1), layers.RandomCrop(8, 8), layers.Flatten(), layers.Dense(10)]
    keras.Sequential([layers.Input((16, 16, 1)), *cropping]).save(path)
    return path


@pytest.mark.parametrize("given", ["auto", "0-1"])
@pytest.mark.parametrize(
    "command",
    [("evaluate",), ("prune", "-o", "o.keras"), ("strip", "--overlays", 5, "-o", "o.npz")],
)
def test_a_network_that_cannot_run_is_refused_by_every_command(
    bench, unfit, tmp_path, monkeypatch, command, given
):
    monkeypatch.chdir(tmp_path)
    data = ("--clean", bench.clean, "--input-range", given)
    outcome = run(*command, "--model", unfit, *data)
    assert_refused(outcome, 65, "CannotRun", str(unfit), "the network cannot run")
    assert listing(tmp_path) == []


def test_a_network_that_cannot_run_answers_no_picture(unfit, tmp_path):
    picture = tmp_path / "grey.png"
    Image.new("L", (16, 16)).save(picture)
    outcome = run("predict", picture, "--model", unfit, "--input-range", "0-1")
    assert_refused(outcome, 65, "CannotRun", str(unfit), "the network cannot run")
