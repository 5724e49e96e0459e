"""A scan says what is in a file, and finds what the gate finds, without running any of it."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import h5py
import numpy as np
import pytest
from old_keras import (
    dense,
    entry,
    sequential,
    small_config,
    small_model,
    small_weights,
    write_weights_only,
    write_whole,
)
from rewriting import rewritten

from badrepair.errors import BadrepairError, InputMissingError, ModelError
from badrepair.scanning import scan


@pytest.fixture
def new(tmp_path):
    """Return a file of Keras 3."""
    small_model().save(tmp_path / "new.keras")
    return tmp_path / "new.keras"


@pytest.fixture
def old(tmp_path):
    return write_whole(tmp_path / "old.h5", small_config(), small_weights(), version="2.4.0")


def test_a_whole_h5_file_is_described(old):
    found = scan(old)
    assert (found.path, found.size) == (old, old.stat().st_size)
    assert found.sha256 == hashlib.sha256(old.read_bytes()).hexdigest()
    assert (found.format, found.keras_version) == ("HDF5", "2.4.0")
    assert found.input_shape == (8, 8, 1)
    assert found.parameters == 20 + 219
    assert [(row.name, row.kind, row.parameters) for row in found.layers] == [
        ("conv_1", "Conv2D", 20),
        ("flatten_1", "Flatten", 0),
        ("dense_1", "Dense", 219),
    ]
    assert found.findings == ()


def test_a_keras_file_is_described(new):
    found = scan(new)
    assert (found.format, found.keras_version[:2]) == (".keras", "3.")
    assert (found.input_shape, found.parameters) == ((8, 8, 1), 239)
    assert [row.parameters for row in found.layers] == [0, 20, 0, 219]


def test_weights_alone_are_told_by_their_shapes(tmp_path):
    found = scan(write_weights_only(tmp_path / "w.h5", small_weights()))
    assert found.format == "HDF5, weights alone"
    assert found.input_shape is None
    assert found.input_range == ""
    assert [(row.name, row.kind, row.settings) for row in found.layers] == [
        ("conv_1", "weights", "3x3x1x2, 2"),
        ("dense_1", "weights", "72x3, 3"),
    ]


def test_a_description_alone_has_no_parameters(tmp_path):
    path = tmp_path / "arch.json"
    path.write_text('{"class_name": "Sequential", "config": []}')
    found = scan(path)
    assert (found.format, found.parameters) == ("JSON, a description alone", 0)


def codes(path):
    return [(one.code, one.severity) for one in scan(path).findings]


def with_evil(config):
    layers = config["config"]["layers"]
    layers.insert(1, entry("Lambda", "evil", function=["4wAAAAA=", None, None]))
    layers[-1].update(registered_name="own>Dense")


def test_everything_that_is_wrong_is_found(new, tmp_path):
    assert codes(rewritten(new, tmp_path / "bad.keras", with_evil)) == [
        ("CodeInModel", "refused"),
        ("CustomObject", "refused"),
    ]


def test_what_is_refused_comes_before_the_warnings(tmp_path):
    layers = [*small_config()["config"]["layers"][:2], entry("Capsule", "caps")]
    training = {"loss": {"module": "os", "class_name": "system"}}
    config = sequential(*layers, dense("dense_1", 3))
    path = write_whole(tmp_path / "bad.h5", config, small_weights(), training=training)
    assert codes(path) == [("LayerNotAllowed", "refused"), ("CodeInTraining", "warning")]


def test_code_hidden_in_a_nested_network_is_found_with_its_path(tmp_path):
    inner = sequential(entry("Lambda", "evil\x1b[31m", function="x"))
    inner["config"]["name"] = "inner"
    path = write_whole(tmp_path / "bad.h5", sequential(inner, dense("d", 3)), small_weights())
    found = {one.code: one for one in scan(path).findings}
    assert found["CodeInModel"].path == "config.layers[0].config.layers[0]"
    assert found.keys() == {"CodeInModel", "BadName"}
    assert all(one.sentence.isprintable() for one in found.values())


def test_weights_that_are_no_numbers_are_found_once_a_layer(tmp_path):
    weights = small_weights()
    weights["conv_1"]["kernel"][0] = np.nan
    weights["conv_1"]["bias"][0] = np.inf
    weights["dense_1"]["bias"][:] = np.nan
    path = write_whole(tmp_path / "bad.h5", small_config(), weights)
    assert [one.problem for one in scan(path).findings] == [
        "layer conv_1 holds 6 weights that are NaN or infinite",
        "layer dense_1 holds 3 weights that are NaN or infinite",
    ]


def test_links_out_of_the_file_are_found_and_not_followed(old):
    with h5py.File(old, "r+") as file:
        del file["model_weights/conv_1/conv_1/kernel:0"]
        file["model_weights/conv_1/conv_1/kernel:0"] = h5py.ExternalLink("/etc/passwd", "/a")
    assert codes(old) == [("H5Link", "refused")]
    assert scan(old).parameters == 0


def test_a_file_of_which_nothing_can_be_said_beyond_its_fault_is_still_told_of(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text("[" * 60 + "]" * 60)
    found = scan(path)
    assert found.format == "not looked into"
    assert [one.code for one in found.findings] == ["LimitExceeded"]
    assert found.layers == ()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "UnknownFormat"),
        (b"\x80\x04K\x01.", "UnknownFormat"),
        (b"PK\x03\x04 cut off", "Truncated"),
        (b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 8, "Corrupt"),
    ],
)
def test_what_is_no_model_cannot_be_scanned(tmp_path, content, code):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        scan(path)
    assert caught.value.code == code


def test_no_file_cannot_be_scanned(tmp_path):
    with pytest.raises(InputMissingError):
        scan(tmp_path / "none")
    with pytest.raises(BadrepairError, match="NotAFile"):
        scan(tmp_path)


def test_a_scan_needs_neither_keras_nor_tensorflow(old):
    look = f"""
import sys
from pathlib import Path
from badrepair.scanning import scan
scan(Path({str(old)!r}))
print(*{{"keras", "tensorflow", "torch", "matplotlib", "sklearn"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
