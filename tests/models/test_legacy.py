"""Old descriptions become what Keras 3 builds, and nothing the file names survives by accident."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest
from old_keras import (
    conv,
    dense,
    flatten,
    functional,
    input_layer,
    node,
    sequential,
    small_config,
)

from badrepair.errors import ModelError
from badrepair.models.gate.plain import plain
from badrepair.models.legacy import modern
from badrepair.models.legacy_graph import Calls
from badrepair.models.legacy_values import is_silent, parameters, type_name

PATH = Path("old.h5")


def test_every_class_gets_the_module_that_keras_3_knows_it_by():
    result = modern(small_config(), PATH)
    assert result["module"] == "keras"
    assert {layer["module"] for layer in result["config"]["layers"]} == {"keras.layers"}
    kernel = result["config"]["layers"][1]["config"]["kernel_initializer"]
    assert kernel["module"] == "keras.initializers"


def test_the_shape_on_the_first_layer_becomes_an_input_layer():
    first, second, *_ = modern(small_config(), PATH)["config"]["layers"]
    assert first["class_name"] == "InputLayer"
    assert first["config"] == {"batch_shape": [None, 8, 8, 1], "name": "conv_1_input"}
    assert "batch_input_shape" not in second["config"]


def test_the_form_of_keras_3_passes_through_unchanged_in_meaning():
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, name="c")])
    config = keras.saving.serialize_keras_object(model)
    rebuilt = keras.saving.deserialize_keras_object(modern(config, PATH))
    assert rebuilt.get_config() == model.get_config()


def test_how_a_network_was_compiled_is_left_behind():
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    model.compile(loss="mse")
    config = keras.saving.serialize_keras_object(model)
    assert "compile_config" in config
    assert "compile_config" not in modern(config, PATH)


def test_calls_of_a_nested_model_are_counted_from_zero():
    base = sequential(conv("conv_a", 2, batch_input_shape=[None, 8, 8, 1]))
    base["config"]["name"] = "base"
    config = functional(
        [(input_layer(),), (base, node("input_1")), (flatten(), node(("base", 1)))], "flatten_1"
    )
    calls = Calls.of(config["config"])
    assert calls.nodes([node(("base", 1))]) == [[["base", 0, 0, {}]]]
    assert calls.nodes([node("input_1")]) == [[["input_1", 0, 0, {}]]]


def test_a_nested_model_at_the_end_is_counted_as_keras_3_reads_it():
    """Keras 3 takes one off the call of a nested Functional there, and none off a Sequential."""
    for class_name, expected in (("Functional", 1), ("Sequential", 0)):
        head = {"class_name": class_name, "config": {"name": "head", "layers": []}}
        config = functional([(input_layer(),), (head, node("input_1"))], ("head", 1))
        assert Calls.of(config["config"]).ends([["head", 1, 0]]) == ["head", expected, 0]


def test_an_edge_that_stands_bare_is_understood():
    assert Calls({}, {}).nodes([["input_1", 0, 0, {}]]) == [[["input_1", 0, 0, {}]]]


def test_a_call_with_training_off_keeps_it_and_any_other_argument_is_refused():
    calls = Calls({}, {})
    assert calls.nodes([node("a", training=False)]) == [[["a", 0, 0, {"training": False}]]]
    with pytest.raises(ValueError, match="axis"):
        calls.nodes([node("a", axis=3)])


def test_tuples_that_were_spelt_out_become_lists():
    value = {
        "size": {"class_name": "__tuple__", "items": [3, 3]},
        "alpha": {"type": "x", "value": 1},
    }
    assert plain(value) == {"size": [3, 3], "alpha": 1}
    assert plain({"class_name": "TensorShape", "items": [None, 8]}) == [None, 8]


@pytest.mark.parametrize("value", [None, False, 1, [1, 1]])
def test_a_dropped_key_may_say_nothing(value):
    assert is_silent(value)


@pytest.mark.parametrize("value", [True, 2, "same", [1, 2], 0.5, {}])
def test_a_dropped_key_that_says_something_counts(value):
    assert not is_silent(value)


def test_a_policy_is_known_by_its_name():
    policy = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
    assert type_name(policy) == "mixed_float16"
    assert type_name("float32") == "float32"
    assert type_name(None) is None


def test_the_arguments_of_a_class_include_those_of_its_parents():
    accepted = parameters(keras.layers.Conv2D)
    assert {"filters", "name", "dtype", "activity_regularizer"} <= accepted
    assert "batch_input_shape" not in accepted
    assert "scale" not in parameters(keras.initializers.Zeros)
    assert parameters(keras.initializers.RandomNormal) == {"mean", "stddev", "seed"}


@pytest.mark.parametrize(
    "broken",
    [
        sequential(),
        {"class_name": "Sequential", "config": 3},
        {"class_name": "Model", "config": {"layers": []}},
        {"class_name": "Dense", "config": {}},
        functional([(dense("a", 3), [["nowhere"]])], "a"),
    ],
)
def test_a_description_that_lacks_a_part_is_invalid(broken):
    with pytest.raises(ModelError) as caught:
        modern(broken, PATH)
    assert caught.value.code == "ConfigInvalid"


def test_an_input_layer_without_a_shape_is_unsupported():
    first = input_layer()
    del first["config"]["batch_input_shape"]
    with pytest.raises(ModelError, match="layer input_1: it does not say the shape"):
        modern(sequential(first, dense("a", 3)), PATH)
