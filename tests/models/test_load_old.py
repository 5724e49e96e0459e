"""Files of Keras 2 answer as the same network built by hand in Keras 3."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from old_keras import (
    SHAPE,
    SIDE,
    answers,
    arrays,
    assert_same,
    conv,
    dense,
    entry,
    fill,
    flatten,
    functional,
    input_layer,
    kernel_and_bias,
    node,
    sequential,
    small_config,
    small_model,
    small_weights,
    write_weights_only,
    write_whole,
)

from badrepair.models.load import load_model


def test_a_sequential_of_keras_2_2_with_batch_input_shape_on_its_first_layer_loads(tmp_path):
    first = conv("conv2d_1", 16, 5, batch_input_shape=[None, 28, 28, 1], dtype="float32")
    config = sequential(first, flatten(), dense("dense_1", 10))
    weights = arrays(
        conv2d_1=kernel_and_bias(5, 5, 1, 16), dense_1=kernel_and_bias(24 * 24 * 16, 10)
    )
    loaded = load_model(write_whole(tmp_path / "old.h5", config, weights))
    by_hand = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, activation="relu", name="conv2d_1"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax", name="dense_1"),
        ]
    )
    expected = answers(fill(by_hand, weights), side=28)
    np.testing.assert_allclose(answers(loaded, side=28), expected, atol=1e-6)
    assert loaded.input_shape == (None, 28, 28, 1)


@pytest.mark.parametrize("as_list", [True, False])
def test_a_sequential_loads_whether_its_config_is_a_list_or_a_dict(tmp_path, as_list):
    config = sequential(*small_config()["config"]["layers"], as_list=as_list)
    weights = small_weights()
    assert_same(write_whole(tmp_path / "old.h5", config, weights), small_model(), weights)


def test_a_sequential_that_says_its_shape_only_once_for_all_loads(tmp_path):
    config = sequential(conv("conv_1", 2), flatten(), dense("dense_1", 3))
    config["config"]["build_input_shape"] = {"class_name": "__tuple__", "items": SHAPE}
    weights = small_weights()
    assert_same(write_whole(tmp_path / "old.h5", config, weights), small_model(), weights)


def test_names_load_as_text_or_bytes_and_in_chunks(tmp_path):
    weights = small_weights()
    for text, chunk in ((str, None), (str, 1), (bytes, 1)):
        path = tmp_path / f"{text.__name__}{chunk}.h5"
        write_whole(path, small_config(), weights, text=text, chunk=chunk)
        assert_same(path, small_model(), weights)


@pytest.mark.parametrize(
    "training",
    [
        {"optimizer_config": {"class_name": "Adam", "config": {"lr": 0.001, "decay": 0.0}}},
        {"loss": {"class_name": "SparseCategoricalCrossentropy", "config": {"reduction": "auto"}}},
        {"metrics": ["my_own_metric"], "loss": "my_own_loss"},
    ],
)
def test_how_a_network_was_trained_is_never_read(tmp_path, training):
    weights = small_weights()
    path = write_whole(tmp_path / "old.h5", small_config(), weights, training=training)
    assert_same(path, small_model(), weights)


def branched_config(class_name):
    return functional(
        [
            (input_layer(),),
            (conv("conv_1", 2), node("input_1")),
            (entry("Flatten", "flatten_1"), node("conv_1")),
            (dense("left", 4, "linear"), node("flatten_1")),
            (dense("right", 4, "linear"), node("flatten_1")),
            (entry("Add", "add_1"), node("left", "right")),
            (entry("Activation", "activation_1", activation="relu"), node("add_1")),
            (dense("output", 3), node("activation_1")),
        ],
        "output",
        class_name=class_name,
    )


@pytest.mark.parametrize("class_name", ["Model", "Functional"])
def test_a_graph_with_branches_and_old_edges_loads(tmp_path, class_name):
    weights = arrays(
        conv_1=kernel_and_bias(3, 3, 1, 2),
        left=kernel_and_bias(72, 4),
        right=kernel_and_bias(72, 4),
        output=kernel_and_bias(4, 3),
    )
    image = keras.Input((SIDE, SIDE, 1))
    flat = layers.Flatten()(layers.Conv2D(2, 3, activation="relu", name="conv_1")(image))
    both = layers.Add()([layers.Dense(4, name="left")(flat), layers.Dense(4, name="right")(flat)])
    answer = layers.Dense(3, activation="softmax", name="output")(layers.ReLU()(both))
    path = write_whole(tmp_path / "old.h5", branched_config(class_name), weights)
    loaded = assert_same(path, keras.Model(image, answer), weights)
    assert [layer.name for layer in loaded.layers if "_1" in layer.name] == [
        "input_1",
        "conv_1",
        "flatten_1",
        "add_1",
        "activation_1",
    ]


def test_slashes_in_layer_names_become_underscores(tmp_path):
    config = functional(
        [
            (input_layer(),),
            (conv("block1/conv", 2), node("input_1")),
            (flatten(), node("block1/conv")),
            (dense("dense_1", 3), node("flatten_1")),
        ],
        "dense_1",
    )
    plain = small_weights()
    weights = {"block1/conv": plain["conv_1"], "dense_1": plain["dense_1"]}
    path = write_whole(tmp_path / "old.h5", config, weights)
    loaded = load_model(path)
    np.testing.assert_allclose(answers(loaded), answers(fill(small_model(), plain)), atol=1e-6)
    assert "block1_conv" in [layer.name for layer in loaded.layers]


def test_weights_under_other_layer_names_go_by_order(tmp_path):
    weights = small_weights()
    renamed = {"conv2d_7": weights["conv_1"], "dense_9": weights["dense_1"]}
    path = write_whole(tmp_path / "old.h5", small_config(), renamed)
    assert_same(path, small_model(), weights)


def test_an_old_weights_file_called_weights_h5_loads(tmp_path):
    weights = small_weights()
    path = write_weights_only(tmp_path / "old.weights.h5", weights)
    whole = write_whole(tmp_path / "arch.h5", small_config(), weights)
    assert_same(path, small_model(), weights, arch=str(whole))
