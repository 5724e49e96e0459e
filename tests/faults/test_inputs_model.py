"""Rows 1 to 15 of the fault table: what may be wrong with a model's file."""

from __future__ import annotations

import json
import os
import socket
import zipfile

import h5py
import keras
import numpy as np
import pytest
import quadrants
from cli.terminal import assert_refused, done, run
from keras import layers

# Trust helps no code: Keras's safe mode stays on.
NO_TRUST = "hint: badrepair never runs code from a model file; rebuild the network without it\n"


def saved(model, path):
    model.save(path)
    return path


def with_config(source, path, change):
    """Copy a .keras file with another description."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                content = change(content.decode()).encode()
            new.writestr(name, content)
    return path


def test_fault_01_a_missing_model_or_data_file_is_named_in_full_with_a_similar_one(
    refused, model, clean
):
    typed = model.with_name("modle.keras")
    refused(66, "InputMissing", str(typed), "did you mean model.keras?", model=typed)
    typed = clean.with_name("claen.h5")
    refused(66, "InputMissing", str(typed), "did you mean clean.h5?", clean=typed)


@pytest.mark.parametrize(
    ("inside", "word"),
    [
        ("notes.txt", "found a folder"),
        ("saved_model.pb", "folder of a SavedModel"),
        ("_CHECKPOINT_METADATA", "folder of an Orbax checkpoint"),
    ],
)
def test_fault_02_a_folder_is_no_model(refused, tmp_path, inside, word):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / inside).touch()
    refused(65, "NotAFile", str(tmp_path / "model"), word, model=tmp_path / "model")


@pytest.mark.parametrize("content", [b"", b"\x89", b"PK\x03", b"\x89HDF\r\n"])
def test_fault_03_an_empty_or_tiny_file_is_no_model(refused, tmp_path, content):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    words = () if content else ("0 bytes",)
    refused(65, "UnknownFormat", str(path), *words, model=path)


def test_fault_04_a_cut_off_h5_is_told_with_both_sizes(refused, tmp_path):
    whole = saved(quadrants.network(), tmp_path / "model.h5").read_bytes()
    path = tmp_path / "half.h5"
    path.write_bytes(whole[:-1000])
    sizes = (f"{len(whole):,}", f"{len(whole) - 1000:,}")
    refused(65, "Truncated", str(path), *sizes, model=path)


def test_fault_05_a_cut_off_keras_file_is_told(refused, model, tmp_path):
    path = tmp_path / "half.keras"
    path.write_bytes(model.read_bytes()[:-100])
    refused(65, "Truncated", str(path), "cut off", model=path)


@pytest.mark.parametrize("name", ["model.H5", "model.hdf5", "model", "model.keras"])
def test_fault_06_an_h5_file_works_under_any_name(measured, clean, tmp_path, name):
    path = saved(quadrants.network(), tmp_path / "saved.h5").rename(tmp_path / name)
    accuracy, n, err = measured(clean, model=path)
    assert (accuracy, n) == (1.0, 40)
    assert ("by its content" in err) == (name == "model.keras")


def test_fault_06_a_zip_called_h5_works_with_a_note(measured, clean, model, tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(model.read_bytes())
    accuracy, _, err = measured(clean, model=path)
    assert accuracy == 1
    assert err == f"{path} is a .keras archive by its content, whatever its name says\n"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "git-lfs pointer"),
        (b"<!DOCTYPE html>\n<html></html>", "HTML page"),
        (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00", "pickle"),
        (b"\x08\x07\x12\x07pytorch", "ONNX or SavedModel"),
        (b"\x18\x00\x00\x00TFL3", "TensorFlow Lite"),
        (b"\x1f\x8b\x08\x00", "gzip"),
    ],
)
def test_fault_07_a_foreign_format_is_named(refused, tmp_path, content, word):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    refused(65, "UnknownFormat", str(path), word, model=path)


def test_fault_07_a_pytorch_archive_is_named(refused, tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02.")
    refused(65, "UnknownFormat", str(path), "PyTorch", model=path)


def test_fault_08_a_file_without_permission_is_named_with_mode_and_owner(
    refused, model, monkeypatch
):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    mode = "(mode -rw-r--r--, owner "
    refused(66, "InputUnreadable", str(model), mode, str(os.getuid()), model=model)


def pipe(path):
    os.mkfifo(path)
    return path


def plugged(path):
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(str(path))
    return path


@pytest.mark.parametrize(
    ("make", "kind"),
    [(pipe, "a pipe"), (plugged, "a socket"), (lambda path: "/dev/zero", "a device")],
    ids=["pipe", "socket", "device"],
)
def test_fault_09_what_would_hang_a_reader_is_never_opened(refused, tmp_path, make, kind):
    path = make(tmp_path / "model.keras")
    refused(65, "NotAFile", str(path), kind, model=path)
    refused(65, "NotAFile", str(path), kind, clean=path)


def weights_only(path):
    quadrants.network().save_weights(path)
    return path


def test_fault_10_weights_alone_ask_for_the_architecture(refused, tmp_path):
    path = weights_only(tmp_path / "model.weights.h5")
    refused(65, "ConfigMissing", str(path), "--arch", model=path)


def test_fault_11_weights_of_another_network_are_refused_with_layer_and_shapes(refused, tmp_path):
    path = weights_only(tmp_path / "model.weights.h5")
    arch = tmp_path / "arch.json"
    arch.write_text(quadrants.network(shape=(8, 8, 3)).to_json())
    words = (str(path), "look", "(4, 4, 3, 4)", "(4, 4, 1, 4)")
    options = ("--arch", arch, "--input-range", "0-1")
    refused(65, "WeightsMismatch", *words, model=path, options=options)


def test_fault_12_a_lambda_is_refused_with_its_place_and_the_way_out(refused, tmp_path):
    image = keras.Input((4, 4, 1))
    tensor = layers.Lambda(lambda pixels: pixels * 2, name="double")(image)
    net = keras.Model(image, layers.Dense(4)(layers.Flatten()(tensor)))
    path = saved(net, tmp_path / "model.keras")
    words = (str(path), "layer double", "config.layers[1]", NO_TRUST)
    refused(65, "CodeInModel", *words, model=path)


@pytest.mark.parametrize(
    ("name", "module", "kind", "way_out"),
    [
        ("Conv2D", "evil.layers", "LayerNotAllowed", "--trust-model sha256:"),
        ("MyLayer", "keras.layers", "LayerNotAllowed", "--trust-model sha256:"),
        ("TFSMLayer", "keras.layers", "CodeInModel", NO_TRUST),
    ],
)
def test_fault_12_a_layer_that_is_not_keras_own_is_refused(
    refused, model, tmp_path, name, module, kind, way_out
):
    def change(text):
        config = json.loads(text)
        config["config"]["layers"][1] |= {"class_name": name, "module": module}
        return json.dumps(config)

    path = with_config(model, tmp_path / "model.keras", change)
    words = (str(path), name, "config.layers[1]", way_out)
    refused(65, kind, *words, model=path)


@pytest.mark.parametrize(("value", "suffix"), [(np.nan, ".keras"), (-np.inf, ".h5")])
def test_fault_13_weights_that_are_no_numbers_are_refused_with_layer_and_count(
    refused, tmp_path, value, suffix
):
    net = quadrants.network()
    kernel, bias = net.get_layer("say").get_weights()
    kernel[:2, 0] = value
    net.get_layer("say").set_weights([kernel, bias])
    path = saved(net, tmp_path / f"model{suffix}")
    refused(65, "WeightsNotFinite", str(path), "layer say holds 2 weights", model=path)


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_fault_14_logits_and_sigmoids_are_answered_by_the_largest(
    measured, clean, tmp_path, activation
):
    path = saved(quadrants.network(activation), tmp_path / "model.keras")
    assert measured(clean, model=path)[:2] == (1.0, 40)


def two_outputs():
    net = quadrants.network()
    return keras.Model(net.input, [net.output, net.get_layer("look").output])


def four_axes():
    net = quadrants.network()
    return keras.Model(net.input, net.get_layer("look").output)


@pytest.mark.parametrize("make", [two_outputs, four_axes])
def test_fault_14_other_outputs_than_classes_are_refused(refused, tmp_path, make):
    path = saved(make(), tmp_path / "model.keras")
    refused(65, "UnsupportedTopology", str(path), model=path)


def test_fault_15_several_inputs_are_refused(refused, tmp_path):
    images = [keras.Input((4, 4, 1)) for _ in range(2)]
    net = keras.Model(images, layers.Dense(4)(layers.Flatten()(layers.Add()(images))))
    path = saved(net, tmp_path / "model.keras")
    refused(65, "UnsupportedTopology", str(path), "input", model=path)


def test_fault_15_a_network_for_any_size_takes_that_of_the_data(measured, clean, tmp_path):
    path = saved(quadrants.network(shape=(None, None, 1)), tmp_path / "model.keras")
    assert measured(clean, model=path)[:2] == (1.0, 40)


@pytest.mark.parametrize("batch", [1, 7])
def test_fault_15_a_fixed_batch_is_honoured(measured, clean, tmp_path, batch):
    path = saved(quadrants.network(batch=batch), tmp_path / "model.keras")
    assert measured(clean, model=path)[:2] == (1.0, 40)


def test_every_fault_is_also_found_by_scan_without_tensorflow(tmp_path):
    path = tmp_path / "half.h5"
    path.write_bytes(saved(quadrants.network(), tmp_path / "model.h5").read_bytes()[:-1000])
    assert_refused(run("scan", path, "-q"), 65, "Truncated")
    assert done("scan", tmp_path / "model.h5").err.count("nothing was found") == 1


def test_an_h5_file_from_a_stranger_is_left_as_it_is(measured, clean, tmp_path):
    path = saved(quadrants.network(), tmp_path / "model.h5")
    path.chmod(0o400)
    before = path.stat()
    measured(clean, model=path)
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (before.st_mtime_ns, before.st_size)
    assert [file.name for file in tmp_path.iterdir()] == ["model.h5"]
    with h5py.File(path) as file:
        assert "model_config" in file.attrs
