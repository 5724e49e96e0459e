"""Models inside models: Keras 2 counted their calls and stored their weights in its own way."""

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
    small_model,
    small_weights,
    write_whole,
)

from badrepair.models.load import load_model


def base_config(class_name):
    """A nested model: a convolution and a normalisation."""
    normal = entry("BatchNormalization", "bn_a", axis=3, epsilon=0.001)
    if class_name == "Sequential":
        base = sequential(conv("conv_a", 2, batch_input_shape=SHAPE), normal)
        return {**base, "config": {**base["config"], "name": "base"}}
    graph = [
        (input_layer("input_a"),),
        (conv("conv_a", 2), node("input_a")),
        (normal, node("conv_a")),
    ]
    return functional(graph, "bn_a", inputs="input_a", class_name=class_name, name="base")


def base_model():
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.Conv2D(2, 3, activation="relu", name="conv_a"),
            layers.BatchNormalization(epsilon=0.001, name="bn_a"),
        ],
        name="base",
    )


def base_weights():
    statistics = dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (2,))
    inner = arrays(conv_a=kernel_and_bias(3, 3, 1, 2), bn_a=statistics)
    inner["bn_a"]["moving_variance"] = np.array([0.5, 2.0], np.float32)
    return inner


def nested_layout(inner):
    """All arrays of the nested model in one group: the trainable ones first."""
    named = {
        f"{layer}/{weight}": array for layer, own in inner.items() for weight, array in own.items()
    }
    return dict(sorted(named.items(), key=lambda pair: "moving" in pair[0]))


def nested_keys(inner):
    return {("base", key): f"{key}:0" for key in nested_layout(inner)}


@pytest.mark.parametrize("class_name", ["Model", "Functional", "Sequential"])
@pytest.mark.parametrize("first_call", [0, 1])
def test_a_model_nested_in_a_graph_loads_with_its_weights(tmp_path, class_name, first_call):
    config = functional(
        [
            (input_layer(),),
            (base_config(class_name), node("input_1", training=False)),
            (flatten(), node(("base", first_call))),
            (dense("dense_1", 3), node("flatten_1")),
        ],
        "dense_1",
    )
    inner, outer = base_weights(), arrays(dense_1=kernel_and_bias(72, 3))
    path = write_whole(
        tmp_path / "old.h5",
        config,
        {"base": nested_layout(inner), **outer},
        keys=nested_keys(inner),
    )
    image, base = keras.Input((SIDE, SIDE, 1)), fill(base_model(), inner)
    answer = layers.Dense(3, activation="softmax", name="dense_1")(layers.Flatten()(base(image)))
    assert_same(path, keras.Model(image, answer), outer)


def test_a_model_nested_in_a_sequential_loads_and_gives_it_the_input_shape(tmp_path):
    config = sequential(base_config("Model"), flatten(), dense("dense_1", 3))
    inner, outer = base_weights(), arrays(dense_1=kernel_and_bias(72, 3))
    path = write_whole(
        tmp_path / "old.h5",
        config,
        {"base": nested_layout(inner), **outer},
        keys=nested_keys(inner),
    )
    head = [layers.Flatten(), layers.Dense(3, activation="softmax", name="dense_1")]
    by_hand = keras.Sequential([keras.Input((SIDE, SIDE, 1)), fill(base_model(), inner), *head])
    assert_same(path, by_hand, outer)


@pytest.mark.parametrize("class_name", ["Model", "Sequential"])
def test_a_graph_that_ends_in_a_model_called_twice_loads(tmp_path, class_name):
    """The second call's answer is the output; the first one's is its input."""
    same = conv("conv_a", 1, activation="relu")
    same["config"]["padding"] = "same"
    if class_name == "Sequential":
        same["config"]["batch_input_shape"] = SHAPE
        base = sequential(same)
        base["config"]["name"] = "base"
    else:
        graph = [(input_layer("input_a"),), (same, node("input_a"))]
        base = functional(graph, "conv_a", inputs="input_a", name="base")
    graph = [
        (input_layer(),),
        (base, node("input_1"), node(("base", 1))),
        (flatten(), node(("base", 2))),
        (dense("dense_1", 3), node("flatten_1")),
    ]
    weights = arrays(conv_a=kernel_and_bias(3, 3, 1, 1), dense_1=kernel_and_bias(64, 3))
    stored = {"base": weights["conv_a"], "dense_1": weights["dense_1"]}
    path = write_whole(tmp_path / "old.h5", functional(graph, "dense_1"), stored)
    image = keras.Input((SIDE, SIDE, 1))
    twice = layers.Conv2D(1, 3, padding="same", activation="relu", name="conv_a")
    answer = layers.Dense(3, activation="softmax", name="dense_1")
    by_hand = keras.Model(image, answer(layers.Flatten()(twice(twice(image)))))
    assert_same(path, by_hand, weights)


@pytest.mark.parametrize("class_name", ["Model", "Sequential"])
def test_a_graph_whose_output_is_a_nested_model_loads(tmp_path, class_name):
    if class_name == "Sequential":
        last = sequential(dense("dense_1", 3, batch_input_shape=[None, 72]))
        last["config"]["name"] = "head"
    else:
        graph = [(input_layer("input_a", (None, 72)),), (dense("dense_1", 3), node("input_a"))]
        last = functional(graph, "dense_1", inputs="input_a", name="head")
    config = functional(
        [
            (input_layer(),),
            (conv("conv_1", 2), node("input_1")),
            (flatten(), node("conv_1")),
            (last, node("flatten_1")),
        ],
        ("head", 1),
    )
    weights = small_weights()
    stored = {"conv_1": weights["conv_1"], "head": weights["dense_1"]}
    path = write_whole(tmp_path / "old.h5", config, stored)
    np.testing.assert_allclose(
        answers(load_model(path)), answers(fill(small_model(), weights)), atol=1e-6
    )


def test_a_nested_models_weights_go_by_name_even_if_stored_in_another_order(tmp_path):
    config = sequential(base_config("Model"), flatten(), dense("dense_1", 3))
    inner, outer = base_weights(), arrays(dense_1=kernel_and_bias(72, 3))
    layout = nested_layout(inner)
    turned = dict(reversed(layout.items()))
    path = write_whole(
        tmp_path / "old.h5", config, {"base": turned, **outer}, keys=nested_keys(inner)
    )
    head = [layers.Flatten(), layers.Dense(3, activation="softmax", name="dense_1")]
    by_hand = keras.Sequential([keras.Input((SIDE, SIDE, 1)), fill(base_model(), inner), *head])
    assert_same(path, by_hand, outer)
