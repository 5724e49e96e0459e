"""Layers whose description has changed since Keras 2 still compute what they did."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from old_keras import (
    SHAPE,
    SIDE,
    arrays,
    assert_same,
    conv,
    dense,
    entry,
    flatten,
    input_layer,
    kernel_and_bias,
    sequential,
    small_config,
    small_model,
    small_weights,
    write_whole,
)

from badrepair.errors import ModelError
from badrepair.models.load import load_model


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
