"""What is no model, is damaged, or contradicts itself is refused in one clear line."""

from __future__ import annotations

import json
import pickle
import zipfile

import h5py
import numpy as np
import pytest
from model_refusals import keras_file, refusal, whole
from old_keras import (
    dense,
    sequential,
    small_config,
    small_weights,
    write_weights_only,
)

from badrepair.errors import InputMissingError, OptionError
from badrepair.models.load import load_model


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b"", "an empty file (0 bytes)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a git-lfs pointer"),
        (b"\n<!DOCTYPE html><html><body>404</body></html>", "an HTML page"),
        (b"<html>not found</html>", "an HTML page"),
        (pickle.dumps({"weights": [1.0]}, protocol=2), "a Python pickle, as PyTorch writes it"),
        (pickle.dumps({"weights": [1.0]}, protocol=4), "a Python pickle"),
        (b"\x08\x07\x12\x07pytorch\x1a\x051.8.0", "a protobuf file (ONNX or SavedModel)"),
        (b"\x1c\x00\x00\x00TFL3", "a TensorFlow Lite model"),
        (b"\x93NUMPY\x01\x00", "a NumPy array"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"abcdefgh", "the bytes 61 62 63 64 65 66 67 68"),
    ],
)
@pytest.mark.parametrize("suffix", [".h5", ".keras", ".pt"])
def test_another_kind_of_file_is_named_for_what_it_is(tmp_path, content, seen, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    error = refusal(path)
    assert error.code == "UnknownFormat"
    assert seen in error.problem


@pytest.mark.parametrize(
    ("member", "seen"), [("archive/data.pkl", "PyTorch"), ("x.npy", ".npz"), ("a.txt", "else")]
)
def test_another_kind_of_zip_archive_is_named_for_what_it_is(tmp_path, member, seen):
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, b"0")
    error = refusal(path)
    assert error.code == "UnknownFormat"
    assert seen in error.problem


def test_a_data_file_given_as_the_model_is_recognised(tmp_path):
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["data"], file["label"] = np.zeros((2, 3, 4, 4)), np.zeros(2)
    error = refusal(path)
    assert error.code == "UnknownFormat"
    assert "found HDF5 with data, label" in error.problem
    assert "data file" in error.hint


def test_a_missing_file_is_an_input_that_is_missing(tmp_path):
    with pytest.raises(InputMissingError):
        load_model(tmp_path / "none.h5")


def test_a_cut_off_h5_file_says_how_much_there_is(tmp_path):
    path = whole(tmp_path / "old.h5", small_config())
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size // 2])
    error = refusal(path)
    assert error.code == "Truncated"
    assert f"found {size // 2:,}" in error.problem
    assert f"expected {size:,} bytes" in error.problem


def test_an_h5_file_of_garbage_is_corrupt(tmp_path):
    path = tmp_path / "bad.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 8)
    assert refusal(path).code == "Corrupt"


def test_a_cut_off_keras_file_is_truncated(tmp_path):
    path = keras_file(tmp_path / "model.keras")
    path.write_bytes(path.read_bytes()[:-200])
    assert refusal(path).code == "Truncated"


@pytest.mark.parametrize("document", [b"{", b'{"class_name": 1}', b"[NaN", b"[]", b"{}"])
def test_json_that_describes_no_network_is_invalid(tmp_path, document):
    path = tmp_path / "arch.json"
    path.write_bytes(document)
    assert refusal(path).code == "ConfigInvalid"


@pytest.mark.parametrize("depth", [60, 100_000])
def test_json_nested_without_end_is_refused(tmp_path, depth):
    path = tmp_path / "arch.json"
    path.write_bytes(b"[" * depth + b"]" * depth)
    assert refusal(path).code == "LimitExceeded"


def test_a_text_or_a_config_beyond_all_measure_is_refused(tmp_path):
    path = tmp_path / "arch.json"
    path.write_text(json.dumps(sequential(dense("d" * 5000, 3))))
    assert "4,096" in refusal(path).problem
    path.write_text(json.dumps([[0] * 300_001]))
    assert "300,000" in refusal(path).problem


def test_weights_alone_that_fit_nothing_known_ask_for_a_network(tmp_path):
    error = refusal(write_weights_only(tmp_path / "w.h5", small_weights()))
    assert error.code == "ConfigMissing"
    assert error.hint == "--arch NAME|FILE; built in: deepid, resnet20, small-cnn, vgg8"


def test_weights_alone_beside_other_weights_is_a_contradiction(tmp_path):
    path = write_weights_only(tmp_path / "w.h5", small_weights())
    with pytest.raises(OptionError, match="TwoWeights"):
        load_model(path, weights=path)


def test_weights_alone_describe_no_network_for_another_file(tmp_path):
    path = write_weights_only(tmp_path / "w.h5", small_weights())
    assert refusal(path, arch=str(path)).code == "ConfigMissing"


def test_an_unknown_network_name_lists_the_known_ones(tmp_path):
    path = write_weights_only(tmp_path / "w.h5", small_weights())
    with pytest.raises(OptionError, match="one of deepid, resnet20, small-cnn, vgg8, found resnet"):
        load_model(path, arch="resnet")


def test_a_network_without_weights_asks_for_them(tmp_path):
    path = tmp_path / "arch.json"
    path.write_text(json.dumps(small_config()))
    assert refusal(path).code == "WeightsMissing"


def test_a_whole_file_that_lost_its_weights_says_so(tmp_path):
    path = whole(tmp_path / "old.h5", small_config())
    with h5py.File(path, "r+") as file:
        del file["model_weights"]
    assert refusal(path).code == "WeightsMissing"
