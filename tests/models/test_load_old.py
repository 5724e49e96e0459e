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

from badrepair.errors import ModelError
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


def test_a_batch_normalisation_with_its_axis_in_a_list_and_dropped_keys_loads(tmp_path):
    normal = entry(
        "BatchNormalizationV1",
        "bn_1",
        axis=[3],
        momentum=0.99,
        epsilon=0.01,
        center=True,
        scale=True,
        fused=True,
        virtual_batch_size=None,
        renorm=False,
        gamma_initializer={"class_name": "Ones", "config": {"dtype": "float32"}},
        dtype={"class_name": "Policy", "config": {"name": "float32"}},
    )
    first = input_layer()
    first["config"]["ragged"] = False
    config = sequential(
        first,
        conv("conv_1", 2, time_major=False),
        normal,
        flatten(),
        dense("dense_1", 3, dtype={"class_name": "Policy", "config": {"name": "float32"}}),
    )
    weights = small_weights()
    statistics = dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (2,))
    weights = {**weights, **arrays(bn_1=statistics)}
    weights["bn_1"]["moving_variance"] = np.array([0.5, 2.0], np.float32)
    by_hand = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.Conv2D(2, 3, activation="relu", name="conv_1"),
            layers.BatchNormalization(epsilon=0.01, name="bn_1"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="dense_1"),
        ]
    )
    assert_same(write_whole(tmp_path / "old.h5", config, weights), by_hand, weights)


def test_old_initializers_and_regularizers_load(tmp_path):
    normal = {"scale": 2.0, "mode": "fan_in", "distribution": "normal", "seed": None}
    first = conv("conv_1", 2, batch_input_shape=SHAPE)
    first["config"]["kernel_initializer"] = {"class_name": "VarianceScaling", "config": normal}
    first["config"]["kernel_regularizer"] = {
        "class_name": "L1L2",
        "config": {"l1": 0.0, "l2": 0.0005},
    }
    config = sequential(first, flatten(), dense("dense_1", 3))
    weights = small_weights()
    path = write_whole(tmp_path / "old.h5", config, weights)
    loaded = assert_same(path, small_model(), weights)
    assert loaded.get_layer("conv_1").kernel_regularizer.l2 == pytest.approx(0.0005)


def test_a_leaky_relu_keeps_its_slope_under_the_old_name(tmp_path):
    leaky = entry("LeakyReLU", "leaky_1", alpha={"type": "ndarray", "value": 0.25})
    config = sequential(
        conv("conv_1", 2, activation="linear", batch_input_shape=SHAPE),
        leaky,
        flatten(),
        dense("dense_1", 3),
    )
    loaded = load_model(write_whole(tmp_path / "old.h5", config, small_weights()))
    assert loaded.get_layer("leaky_1").negative_slope == 0.25


def test_a_depthwise_convolution_loads_although_keras_2_gave_it_groups(tmp_path):
    depthwise = entry(
        "DepthwiseConv2D",
        "depth_1",
        kernel_size=[3, 3],
        groups=1,
        depth_multiplier=2,
        batch_input_shape=SHAPE,
        activation="linear",
    )
    config = sequential(depthwise, flatten(), dense("dense_1", 3))
    weights = arrays(
        depth_1={"depthwise_kernel": (3, 3, 1, 2), "bias": (2,)}, dense_1=kernel_and_bias(72, 3)
    )
    by_hand = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.DepthwiseConv2D(3, depth_multiplier=2, name="depth_1"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="dense_1"),
        ]
    )
    assert_same(write_whole(tmp_path / "old.h5", config, weights), by_hand, weights)


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


def test_a_time_distributed_layer_of_keras_2_loads_with_what_is_inside(tmp_path):
    reshape = entry("Reshape", "rows", target_shape=[8, 8], batch_input_shape=SHAPE)
    inside = dense("inner", 2, "linear")
    wrapped = entry("TimeDistributed", "wrapped", layer=inside)
    config = sequential(reshape, wrapped, flatten(), dense("dense_1", 3))
    weights = arrays(wrapped=kernel_and_bias(8, 2), dense_1=kernel_and_bias(16, 3))
    by_hand = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.Reshape((8, 8)),
            layers.TimeDistributed(layers.Dense(2), name="wrapped"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="dense_1"),
        ]
    )
    assert_same(write_whole(tmp_path / "old.h5", config, weights), by_hand, weights)


def test_a_function_that_changed_its_meaning_since_keras_2_is_refused(tmp_path):
    config = small_config()
    config["config"]["layers"][0]["config"]["activation"] = "hard_sigmoid"
    path = write_whole(tmp_path / "old.h5", config, small_weights())
    with pytest.raises(ModelError, match=r"conv_1: hard_sigmoid of Keras 2\.2\.4") as caught:
        load_model(path)
    assert caught.value.code == "UnsupportedTopology"
