"""A description is told in a few words, whatever nonsense stands in it."""

from __future__ import annotations

import pytest

from badrepair.models.gate.architecture import guess_range, input_shape, layer_rows
from badrepair.models.gate.opened import Stored


def stored(name, *shapes, place=""):
    return Stored(name, place or name, (("", ""),) * len(shapes), shapes, 0)


def layer(kind, name=None, **config):
    named = {} if name is None else {"name": name}
    return {"class_name": kind, "config": {**named, **config}}


def sequential(*layers):
    return {"class_name": "Sequential", "config": {"name": "all", "layers": list(layers)}}


def told(row):
    return (row.name, row.kind, row.settings, row.parameters)


def test_layers_are_told_with_what_they_are_made_with_and_how_many_numbers_they_hold():
    config = sequential(
        layer("Conv2D", "conv", filters=20, kernel_size=[4, 4], strides=[1, 1], padding="same"),
        layer("MaxPooling2D", "pool", pool_size=[2, 2], padding="valid"),
        layer("Dense", "scores", units=10, activation="softmax", use_bias=True),
        layer("Dropout", "drop", rate=0.5),
    )
    groups = (stored("conv", (4, 4, 3, 20), (20,)), stored("scores", (50, 10), (10,)))
    assert [told(row) for row in layer_rows(config, groups)] == [
        ("conv", "Conv2D", "filters 20, kernel_size 4x4, padding same", 980),
        ("pool", "MaxPooling2D", "pool_size 2x2", 0),
        ("scores", "Dense", "units 10, activation softmax", 510),
        ("drop", "Dropout", "rate 0.5", 0),
    ]


def test_layers_in_nested_models_are_told_behind_their_models():
    config = sequential(sequential(layer("Dense", "inner", units=3)), layer("Flatten", "flat"))
    config["config"]["layers"][0]["config"]["name"] = "base"
    rows = layer_rows(config, (stored("inner", (4, 3)),))
    assert [(row.name, row.kind, row.parameters) for row in rows] == [
        ("base", "Sequential", 0),
        ("base/inner", "Dense", 12),
        ("flat", "Flatten", 0),
    ]


def test_weights_alone_are_told_by_their_shapes():
    generator = stored("flip", (2,), place="layers/flip/seed_generator")
    rows = layer_rows(None, (stored("conv", (3, 3, 1, 2), (2,)), generator))
    assert [told(row) for row in rows] == [("conv", "weights", "3x3x1x2, 2", 20)]


def test_a_setting_that_is_an_object_is_told_by_its_class():
    gadget = {"module": "keras.config", "class_name": "function", "config": "set_floatx"}
    [row] = layer_rows(sequential(layer("Dense", "d", activation=gadget)), ())
    assert row.settings == "activation function"


def test_names_and_settings_steer_no_terminal():
    [row] = layer_rows(sequential(layer("De\x1bnse", "\x1b[31m", activation="\x07")), ())
    assert told(row) == (r"\x1b[31m", r"De\x1bnse", r"activation \x07", 0)


def test_names_and_settings_are_cut_to_their_measure():
    [row] = layer_rows(sequential(layer("Dense", "n" * 999, activation="a" * 999)), ())
    assert (len(row.name), len(row.settings)) == (80, len("activation ") + 40)


@pytest.mark.parametrize(
    "config",
    [
        *(
            3,
            "text",
            [],
            {},
            {"config": None},
            {"config": {"layers": 3}},
            {"config": {"layers": {}}},
        ),
        {"config": {"layers": [None, 3, "x", [], {"class_name": None, "config": [1]}]}},
        {"class_name": "Sequential", "config": [{"class_name": "Model", "config": "x"}]},
        sequential(layer("Rescaling", scale="x"), layer("Normalization", mean={"a": 1})),
    ],
)
def test_nonsense_is_no_fault(config):
    layer_rows(config, ())
    assert input_shape(config) is None
    assert guess_range(config) == "not told by its layers"


@pytest.mark.parametrize("key", ["batch_shape", "batch_input_shape", "build_input_shape"])
def test_the_input_is_what_the_first_layer_says(key):
    config = sequential(layer("InputLayer", **{key: [None, 55, 47, 3]}), layer("Flatten"))
    assert input_shape(config) == (55, 47, 3)


def test_the_input_of_a_nested_model_counts_where_the_model_says_none():
    inner = sequential(layer("InputLayer", batch_shape=[None, None, None, 1]))
    assert input_shape(sequential(inner)) == (None, None, 1)


@pytest.mark.parametrize("shape", [None, "8x8", [None, "8", 8, 1], [None, 8.5, 8, 1]])
def test_a_shape_that_is_none_is_not_said(shape):
    assert input_shape(sequential(layer("InputLayer", batch_shape=shape))) is None


def conv():
    return layer("Conv2D", "conv", filters=2)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (
            [layer("Rescaling", scale=1 / 255), conv()],
            "0-255: a Rescaling by 0.003922 stands first",
        ),
        ([layer("Rescaling", scale=1 / 127.5, offset=-1)], "0-255: a Rescaling by 0.007843"),
        (
            [layer("RandomFlip"), layer("Rescaling", scale=-1 / 64)],
            "0-255: a Rescaling by -0.01562",
        ),
        ([layer("Rescaling", scale=2.0), conv()], "not told by its layers"),
        ([conv(), layer("Rescaling", scale=1 / 255)], "not told by its layers"),
        ([layer("Normalization", mean=[[123.0, 116.0, 103.0]])], "0-255: a Normalization with"),
        (
            [layer("Normalization", mean=[0.485, 0.456, 0.406])],
            "0-1: a Normalization with a mean of",
        ),
        ([layer("Normalization", mean=None), conv()], "not told by its layers"),
        ([sequential(layer("Rescaling", scale=1 / 255))], "0-255: a Rescaling by 0.003922"),
    ],
)
def test_the_range_is_guessed_from_what_stands_before_the_first_weights(layers, words):
    assert guess_range(sequential(*layers)).startswith(words)
