"""A description that would run code, or look up what is no layer, never reaches Keras."""

from __future__ import annotations

import keras
import pytest
from keras import layers
from model_refusals import keras_file, refusal, whole, with_layer
from old_keras import (
    SIDE,
    dense,
    entry,
)


def lambda_entry():
    return entry("Lambda", "evil", function=["4wAAAAA=", None, None], function_type="lambda")


def test_a_lambda_in_an_h5_file_is_code(tmp_path):
    error = refusal(whole(tmp_path / "bad.h5", with_layer(lambda_entry())))
    assert error.code == "CodeInModel"
    assert "layer evil" in error.problem


def test_a_lambda_in_a_keras_file_is_code(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.Flatten(),
            layers.Lambda(lambda x: x * 2, name="evil"),
            layers.Dense(3),
        ]
    )
    path = tmp_path / "bad.keras"
    model.save(path)
    error = refusal(path)
    assert error.code == "CodeInModel"
    assert "layer evil" in error.problem


def test_a_function_named_by_the_file_is_code_wherever_it_hides(tmp_path):
    gadget = {"class_name": "function", "module": "keras.config", "config": "set_floatx"}

    def as_activation(config):
        config["config"]["layers"][-1]["config"]["activation"] = gadget

    def as_initializer(config):
        config["config"]["layers"][-1]["config"]["kernel_initializer"] = gadget

    def as_unknown_key(config):
        config["config"]["layers"][-1]["config"]["anything"] = [{"deep": gadget}]

    for change in (as_activation, as_initializer, as_unknown_key):
        error = refusal(keras_file(tmp_path / "bad.keras", change))
        assert error.code == "CodeInModel"
        assert "layer dense_1" in error.problem


def graph():
    image = keras.Input((SIDE, SIDE, 1))
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(image) + 1.0))


def test_an_operation_with_a_function_among_its_arguments_is_code(tmp_path):
    def change(config):
        operation = next(
            one for one in config["config"]["layers"] if one["module"] == "keras.src.ops.numpy"
        )
        gadget = {"class_name": "function", "module": "keras.config", "config": "set_floatx"}
        operation["inbound_nodes"][0]["args"][1] = gadget

    assert refusal(keras_file(tmp_path / "bad.keras", change, graph())).code == "CodeInModel"


def test_an_operation_beside_the_five_allowed_ones_is_refused(tmp_path):
    def change(config):
        operation = next(
            one for one in config["config"]["layers"] if one["module"] == "keras.src.ops.numpy"
        )
        operation.update(module="keras.src.ops.core", class_name="Switch", registered_name="Switch")

    error = refusal(keras_file(tmp_path / "bad.keras", change, graph()))
    assert error.code == "LayerNotAllowed"
    assert "Switch" in error.problem


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"class_name": "MyLayer"}, "LayerNotAllowed"),
        ({"module": "os"}, "LayerNotAllowed"),
        ({"module": "keras_cv.layers"}, "LayerNotAllowed"),
        ({"module": "keras.src.layers.core.lambda_layer"}, "LayerNotAllowed"),
        ({"registered_name": "evil>Dense"}, "CustomObject"),
        ({"class_name": "Lambda"}, "CodeInModel"),
        ({"class_name": "TFSMLayer"}, "CodeInModel"),
        ({"class_name": 3}, "ConfigInvalid"),
    ],
)
def test_a_class_from_elsewhere_is_refused_by_the_name_of_its_layer(tmp_path, change, code):
    path = keras_file(
        tmp_path / "bad.keras", lambda config: config["config"]["layers"][-1].update(change)
    )
    error = refusal(path)
    assert error.code == code
    assert "layer dense_1" in error.problem


def test_an_unknown_class_in_an_h5_file_is_refused_by_the_name_of_its_layer(tmp_path):
    error = refusal(whole(tmp_path / "bad.h5", with_layer(entry("Capsule", "caps_1"))))
    assert error.code == "LayerNotAllowed"
    assert "layer caps_1: class Capsule" in error.problem


def test_an_unknown_activation_is_refused(tmp_path):
    error = refusal(whole(tmp_path / "bad.h5", with_layer(dense("d", 3, "my_relu"))))
    assert error.code == "ActivationNotAllowed"
    assert "my_relu" in error.problem


@pytest.mark.parametrize("name", ["..", "a/../b", "\x1b[31m", "", "n" * 300])
def test_a_name_that_could_do_harm_on_screen_or_disk_is_refused(tmp_path, name):
    error = refusal(whole(tmp_path / "bad.h5", with_layer(dense(name, 3))))
    assert error.code == "BadName"
    assert "\x1b" not in str(error)


def test_what_a_file_says_cannot_steer_the_terminal(tmp_path):
    error = refusal(whole(tmp_path / "bad.h5", with_layer(entry("\x1b[31m\n", "caps_1"))))
    assert (
        error.problem == r"layer caps_1: class \x1b[31m\n is not allowed here (at config.layers[2])"
    )
