"""A network that cannot be rebuilt faithfully, or is no image classifier, is named as such."""

from __future__ import annotations

import keras
import pytest
from keras import layers
from model_refusals import refusal, whole, with_layer
from old_keras import (
    SIDE,
    conv,
    dense,
    entry,
    flatten,
    functional,
    input_layer,
    node,
    sequential,
    small_config,
)


@pytest.mark.parametrize("operation", ["TFOpLambda", "SlicingOpLambda"])
def test_a_bare_tensorflow_operation_is_unsupported_and_named(tmp_path, operation):
    bad = entry(operation, "tf.math.multiply_3", function="math.multiply")
    error = refusal(whole(tmp_path / "bad.h5", with_layer(bad)))
    assert error.code == "UnsupportedTopology"
    assert "layer tf.math.multiply_3" in error.problem
    assert operation in error.problem


def test_channels_first_is_unsupported_and_the_layer_named(tmp_path):
    config = small_config()
    config["config"]["layers"][0]["config"]["data_format"] = "channels_first"
    error = refusal(whole(tmp_path / "bad.h5", config))
    assert error.code == "UnsupportedTopology"
    assert "layer conv_1" in error.problem


def test_a_key_that_means_something_keras_3_cannot_do_is_unsupported(tmp_path):
    config = small_config()
    config["config"]["layers"][0]["config"]["time_major"] = True
    error = refusal(whole(tmp_path / "bad.h5", config))
    assert error.code == "UnsupportedTopology"
    assert "time_major=True" in error.problem


def test_a_sparse_input_is_unsupported(tmp_path):
    first = input_layer()
    first["config"]["sparse"] = True
    config = sequential(first, conv("conv_1", 2), flatten(), dense("dense_1", 3))
    error = refusal(whole(tmp_path / "bad.h5", config))
    assert error.code == "UnsupportedTopology"
    assert "sparse" in error.problem


def test_a_network_that_never_says_its_input_shape_is_unsupported(tmp_path):
    config = sequential(conv("conv_1", 2), flatten(), dense("dense_1", 3))
    assert "shape of its input" in refusal(whole(tmp_path / "bad.h5", config)).problem


def test_a_call_with_another_argument_than_images_is_unsupported(tmp_path):
    config = functional(
        [
            (input_layer(),),
            (conv("conv_1", 2), node("input_1", scale=["other", 0, 0])),
            (flatten(), node("conv_1")),
            (dense("dense_1", 3), node("flatten_1")),
        ],
        "dense_1",
    )
    error = refusal(whole(tmp_path / "bad.h5", config))
    assert error.code == "UnsupportedTopology"
    assert "layer conv_1: it is called with scale" in error.problem


def two_inputs():
    first, second = keras.Input((SIDE, SIDE, 1)), keras.Input((SIDE, SIDE, 1))
    return keras.Model([first, second], layers.Dense(3)(layers.Flatten()(first + second)))


def two_outputs():
    image = keras.Input((SIDE, SIDE, 1))
    flat = layers.Flatten()(image)
    return keras.Model(image, [layers.Dense(3)(flat), layers.Dense(3)(flat)])


def image_to_image():
    return keras.Sequential([keras.Input((SIDE, SIDE, 1)), layers.Conv2D(1, 3)])


def one_class():
    return keras.Sequential([keras.Input((SIDE, SIDE, 1)), layers.Flatten(), layers.Dense(1)])


def no_images():
    return keras.Sequential([keras.Input((64,)), layers.Dense(3)])


@pytest.mark.parametrize(
    ("build", "found"),
    [
        (two_inputs, "found (None, 8, 8, 1), (None, 8, 8, 1)"),
        (two_outputs, "found (None, 3), (None, 3)"),
        (image_to_image, "found (None, 6, 6, 1)"),
        (one_class, "found (None, 1)"),
        (no_images, "found (None, 64)"),
    ],
)
def test_a_network_that_is_no_image_classifier_is_unsupported(tmp_path, build, found):
    path = tmp_path / "model.keras"
    build().save(path)
    error = refusal(path)
    assert error.code == "UnsupportedTopology"
    assert found in error.problem


def test_values_that_make_no_network_are_an_invalid_config(tmp_path):
    config = small_config()
    config["config"]["layers"][0]["config"]["filters"] = -4
    assert refusal(whole(tmp_path / "bad.h5", config)).code == "ConfigInvalid"
