"""Any valid network passes the gate; one changed value is refused in our own words, or harmless."""

from __future__ import annotations

import copy
import tempfile
from functools import partial, reduce
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers
from old_keras import answers
from rewriting import rewritten

from badrepair.errors import BadrepairError
from badrepair.models import inference
from badrepair.models.load import load_model

RUNS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
SAME = {"padding": "same"}
# Layers are made in the test and not in the strategy: Keras draws their seeds.
small = st.integers(1, 3)
CONVOLUTION = {
    "kernel_size": small,
    "strides": st.integers(1, 2),
    "activation": st.sampled_from([None, "relu", "tanh", "sigmoid", "gelu", "leaky_relu"]),
    "use_bias": st.booleans(),
    "padding": st.just("same"),
}
FILTERING = layers.Conv2D, layers.SeparableConv2D, layers.Conv2DTranspose
convolutions = st.one_of(
    *(st.builds(partial, st.just(kind), filters=small, **CONVOLUTION) for kind in FILTERING),
    st.builds(partial, st.just(layers.DepthwiseConv2D), depth_multiplier=small, **CONVOLUTION),
)
others = st.sampled_from(
    [
        *(layers.ReLU, layers.ELU, layers.LeakyReLU, layers.PReLU, layers.Identity),
        *(layers.BatchNormalization, layers.LayerNormalization, layers.UnitNormalization),
        *(layers.RandomFlip, partial(layers.Dropout, 0.3), partial(layers.GaussianNoise, 0.1)),
        *(partial(layers.MaxPooling2D, **SAME), partial(layers.AveragePooling2D, 3, **SAME)),
        *(partial(layers.ZeroPadding2D, 1), partial(layers.UpSampling2D, 2)),
        *(partial(layers.Rescaling, 0.5, -1.0), partial(layers.Activation, "softplus")),
        *(partial(layers.Permute, (2, 1, 3)), partial(layers.SpatialDropout2D, 0.2)),
    ]
)
steps = st.lists(convolutions | others, min_size=1, max_size=4)
heads = st.tuples(
    st.sampled_from([layers.Flatten, layers.GlobalMaxPooling2D]),
    st.builds(
        partial, st.just(layers.Dense), st.integers(2, 4), st.sampled_from([None, "softmax"])
    ),
)


def chain(makers, head):
    return keras.Sequential([keras.Input((8, 8, 1)), *(make() for make in (*makers, *head))])


def graph(makers, head, nested):
    """Return a network with a nested chain, a skip over the rest, and bare operations."""
    image = keras.Input((8, 8, 1))
    side = tensor = keras.Sequential([make() for make in nested])(image)
    for make in makers:
        tensor = make()(tensor)
    means = layers.Concatenate()([layers.GlobalAveragePooling2D()(one) for one in (side, tensor)])
    tensor = layers.Reshape((1, 1, means.shape[-1]))(means * 0.5 + 1.0)
    for make in head:
        tensor = make()(tensor)
    return keras.Model(image, tensor)


@RUNS
@given(steps, heads, steps | st.none(), st.sampled_from(["keras", "h5"]))
def test_a_valid_network_comes_back(makers, head, nested, suffix):
    model = chain(makers, head) if nested is None else graph(makers, head, nested)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"model.{suffix}")
        model.save(path)
        loaded = load_model(path)
    np.testing.assert_allclose(answers(loaded), answers(model), atol=1e-6)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Return a file with something of everything, to be changed in one place."""
    image = keras.Input((8, 8, 1))
    maps = layers.Conv2D(2, 3, kernel_regularizer="l2")(layers.Rescaling(0.5)(image))
    maps = layers.ReLU(6.0)(layers.BatchNormalization()(maps))
    side = keras.Sequential([keras.Input((6, 6, 2)), layers.SeparableConv2D(2, 3, padding="same")])
    maps = layers.Dropout(0.5)(layers.MaxPooling2D()(maps + side(maps)))
    maps = layers.UpSampling2D(2)(layers.ZeroPadding2D(1)(maps))
    model = keras.Model(image, layers.Dense(3, "softmax")(layers.Flatten()(maps)))
    path = tmp_path_factory.mktemp("original") / "model.keras"
    model.save(path)
    return path


GADGET = {"class_name": "function", "module": "keras.config", "config": "set_floatx"}
DEEP = reduce(lambda inner, _: [inner], range(45), "deep")
VALUES = (
    *(None, True, False, 0, 1, -1, 7, 2**31, 2**63, -(2**63), 10**30, 0.5, -1e308, 5e-324),
    *(float("nan"), float("inf"), "", "x", "relu", "float64", "channels_first", "..", "\x1b[31m"),
    *("Lambda", "Dense", "Conv2D", "keras.layers", "keras.src.ops.numpy", "os", "__keras_tensor__"),
    *([], [1], [2**31, 2**31], [None], {}, {"class_name": "Dense", "config": {}}, GADGET, DEEP),
)


def places(value):
    """Yield every (container, key) of a description."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in [*entries]:
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


def changed(where, how, new):
    """Return a function that changes one place of a description."""

    def change(config):
        found = [*places(config)]
        container, key = found[where % len(found)]
        if how == "delete":
            del container[key]
        elif how == "rename" and isinstance(container, dict):
            container[str(new)[:20]] = container.pop(key)
        elif how == "repeat" and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        else:
            container[key] = copy.deepcopy(new)

    return change


def outcome(path):
    """Return what a network answers, or how it is refused; any other error is a fault."""
    try:
        model = load_model(path)
        images = np.zeros((2, *(size or 8 for size in model.input_shape[1:])))
        return inference.run(model, images), ""
    except BadrepairError as error:
        return None, str(error)


@settings(RUNS, max_examples=80)
@given(
    where=st.integers(0, 10_000),
    how=st.sampled_from(["delete", "rename", "repeat", *["replace"] * 5]),
    new=st.sampled_from(VALUES),
)
def test_one_changed_value_is_refused_or_harmless(original, where, how, new):
    with tempfile.TemporaryDirectory() as folder:
        path = rewritten(original, Path(folder, "changed.keras"), changed(where, how, new))
        answered, said = outcome(path)
    assert said.isprintable()
    if answered is not None:
        assert (len(answered), answered.shape[1] >= 2) == (2, True)
