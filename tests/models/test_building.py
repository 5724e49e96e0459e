"""A network is built without memory until its weights are known to be those of the file."""

from __future__ import annotations

import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from keras import layers
from keras.src.backend.common import global_state
from model_refusals import refusal
from old_keras import (
    answers,
    conv,
    dense,
    entry,
    fill,
    flatten,
    functional,
    input_layer,
    node,
    sequential,
    small_config,
    small_model,
    small_weights,
    write_whole,
)

from badrepair.models import building
from badrepair.models.load import load_model

MEBIBYTE = 2**20


def uninitialized():
    return global_state.get_global_attribute(building.UNINITIALIZED) or []


def assert_sound():
    """Check that a network that is built now has memory for its weights at once."""
    assert uninitialized() == []
    assert np.isfinite(answers(small_model())).all()


@pytest.fixture
def huge(tmp_path):
    """Return a file of a few kB that describes a layer of 28.8 GB."""
    config = sequential(*small_config()["config"]["layers"][:2], dense("dense_1", 10**8))
    return write_whole(tmp_path / "huge.h5", config, small_weights())


def test_a_layer_that_the_weights_do_not_fit_costs_no_memory(huge):
    assert huge.stat().st_size < 20_000
    load = f"""
import resource
from pathlib import Path
import keras
from badrepair.errors import ModelError
from badrepair.models.load import load_model
keras.ops.zeros(3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_model(Path({str(huge)!r}))
except ModelError as error:
    print(error.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True, check=True)
    code, kilobytes = done.stdout.split()
    assert code == "WeightsMismatch"
    assert int(kilobytes) < 100 * 1024


def test_the_layer_that_is_too_large_is_named(huge):
    error = refusal(huge)
    assert error.problem == (
        "layer dense_1 expects (72, 100000000), (100000000,), found (72, 3), (3,)"
    )


@pytest.mark.parametrize("filters", [2**20, 2**31, 2**62])
def test_a_layer_that_makes_more_of_one_image_than_there_is_memory_is_refused(tmp_path, filters):
    first = conv("conv_1", filters, size=1, batch_input_shape=[None, 64, 64, 1])
    config = sequential(first, entry("GlobalAveragePooling2D", "pool"), dense("dense_1", 3))
    path = tmp_path / "bomb.h5"
    error = refusal(write_whole(path, config, small_weights()))
    assert error.code in {"LimitExceeded", "ConfigInvalid"}
    if filters == 2**20:
        assert error.problem == f"layer conv_1 makes {2**32:,} values of one image"


def test_layers_without_weights_can_be_bombs_too(tmp_path):
    config = sequential(
        *(input_layer(), entry("UpSampling2D", "up", size=[5000, 5000])),
        *(flatten(), entry("Reshape", "shape", target_shape=[16_000_000, 100])),
        entry("GlobalAveragePooling1D", "pool"),
    )
    error = refusal(write_whole(tmp_path / "bomb.h5", config, {}))
    assert error.code == "LimitExceeded"
    assert error.problem == "layer up makes 1,600,000,000 values of one image"


def test_a_bomb_that_goes_off_by_repetition_is_refused(tmp_path):
    """Ten times, each layer puts what it gets behind itself four times."""
    listed, last = [(input_layer(),), (flatten(), node("input_1"))], "flatten_1"
    for number in range(12):
        name = f"join_{number}"
        listed.append((entry("Concatenate", name, axis=-1), node(*[last] * 4)))
        last = name
    listed.append((dense("dense_1", 3), node(last)))
    error = refusal(write_whole(tmp_path / "bomb.h5", functional(listed, "dense_1"), {}))
    assert error.code == "LimitExceeded"
    assert error.problem == f"layer join_10 makes {64 * 4**11:,} values of one image"


def test_what_an_image_may_become_is_half_a_gibibyte(tmp_path):
    def path(height):
        shape = (None, height, 128, 1)
        config = sequential(
            *(input_layer(shape=shape), flatten(), entry("RepeatVector", "r", n=2**14)),
            *(entry("GlobalAveragePooling1D", "pool"),),
        )
        return write_whole(tmp_path / "m.h5", config, {})

    assert building.MOST_VALUES * 4 == 512 * MEBIBYTE
    assert load_model(path(64)).output_shape == (None, 2**13)
    assert refusal(path(65)).code == "LimitExceeded"


@pytest.mark.parametrize(
    "change",
    [
        lambda layers: layers[-1]["config"].update(units=5),
        lambda layers: layers[0]["config"].update(filters=-4),
        lambda layers: layers[0]["config"].update(filters="many"),
        lambda layers: layers.pop(),
        lambda layers: layers.append(entry("Reshape", "r", target_shape=[7])),
    ],
)
def test_a_refused_network_leaves_nothing_behind(tmp_path, change):
    config = small_config()
    change(config["config"]["layers"])
    refusal(write_whole(tmp_path / "bad.h5", config, small_weights()))
    assert_sound()


def test_a_built_network_leaves_nothing_behind(tmp_path):
    load_model(write_whole(tmp_path / "good.h5", small_config(), small_weights()))
    assert_sound()


def test_a_network_in_which_keras_is_interrupted_leaves_nothing_behind(tmp_path, monkeypatch):
    def stop(*_, **__):
        small_model()
        raise KeyboardInterrupt

    monkeypatch.setattr(building, "_unfilled", stop)
    with pytest.raises(KeyboardInterrupt):
        load_model(write_whole(tmp_path / "good.h5", small_config(), small_weights()))
    assert_sound()


@pytest.mark.parametrize(
    "initializer",
    [
        {"class_name": "GlorotUniform", "config": {"seed": True}},
        {"class_name": "RandomUniform", "config": {"minval": "x", "maxval": [1]}},
        {"class_name": "Constant", "config": {"value": [[1, 2], 3]}},
        {"class_name": "Orthogonal", "config": {"gain": 1e308}},
    ],
    ids=lambda one: one["class_name"],
)
def test_an_initializer_of_the_file_is_never_run(tmp_path, initializer):
    config = small_config()
    config["config"]["layers"][-1]["config"]["kernel_initializer"] = initializer
    loaded = load_model(write_whole(tmp_path / "m.h5", config, small_weights()))
    expected = answers(fill(small_model(), small_weights()))
    np.testing.assert_allclose(answers(loaded), expected, atol=1e-6)
    assert_sound()


def chain(name, count):
    """Return a Sequential of layers that do nothing."""
    idle = [entry("Identity", f"{name}_{number}") for number in range(count)]
    return entry("Sequential", name, layers=[input_layer(f"{name}_in"), *idle])


def test_a_sequential_is_built_once_however_many_layers_it_has(tmp_path, monkeypatch):
    built = []
    build = keras.Sequential.build
    monkeypatch.setattr(
        keras.Sequential, "build", lambda self, shape: (built.append(self.name), build(self, shape))
    )
    chains = [chain(f"chain_{number}", 20) for number in range(3)]
    first, *others = small_config()["config"]["layers"]
    config = sequential(input_layer(), *chains, first, *others)
    model = load_model(write_whole(tmp_path / "long.h5", config, small_weights()))
    assert built == ["chain_0", "chain_1", "chain_2", model.name]
    assert type(model.layers[0]) is keras.Sequential
    monkeypatch.undo()
    np.testing.assert_array_equal(answers(model), answers(fill(small_model(), small_weights())))


def test_many_layers_in_many_sequentials_take_seconds(tmp_path):
    chains = [chain(f"chain_{number}", 390) for number in range(5)]
    config = sequential(input_layer(), *chains, *small_config()["config"]["layers"])
    path = write_whole(tmp_path / "long.h5", config, small_weights())
    start = time.process_time()
    assert len(load_model(path).layers) == 5 + len(small_model().layers)
    assert time.process_time() - start < 5


def nested_sequentials():
    slope = layers.PReLU(shared_axes=[1, 2])
    inner = [keras.Input((None, None, 2), name="inner_in"), layers.Conv2D(3, 3), slope]
    image = keras.Input((6, 6, 3))
    graph = keras.Model(image, layers.ReLU()(layers.SeparableConv2D(2, 3)(image)))
    last = [keras.Input((4, 4, 2), name="maps"), layers.Flatten(), layers.Dense(3, name="scores")]
    scores = keras.Sequential(last, name="last")
    start = [keras.Input((10, 10, 1), name="picture"), layers.Conv2D(2, 3)]
    return keras.Sequential([*start, keras.Sequential(inner, name="inner"), graph, scores])


def configs(model):
    """Return what every layer is made with, the inputs of Sequentials included."""
    layers_inside = model._flatten_layers(include_self=False)
    return [one.get_config() for one in layers_inside if not hasattr(one, "layers")]


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_sequentials_are_what_keras_itself_builds_layer_by_layer(tmp_path, suffix):
    path = tmp_path / f"model.{suffix}"
    nested_sequentials().save(path)
    mine, theirs = load_model(path), keras.saving.load_model(path, compile=False)
    assert [one.name for one in mine.variables] == [one.name for one in theirs.variables]
    assert configs(mine) == configs(theirs)
    images = np.random.default_rng(0).random((4, 10, 10, 1), np.float32)
    np.testing.assert_array_equal(mine(images), theirs(images))
    mine.save(tmp_path / "again.keras")
    again = keras.saving.load_model(tmp_path / "again.keras", compile=False)
    np.testing.assert_array_equal(again(images), theirs(images))


def rich():
    """Return a network with state beside its weights: statistics, and random number generators."""
    image = keras.Input((8, 8, 1))
    maps = layers.Conv2D(3, 3, use_bias=False)(layers.RandomFlip()(image))
    maps = layers.Dropout(0.3)(layers.BatchNormalization(momentum=0.5)(maps))
    inner = keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(2, 3), layers.PReLU()])
    flat = layers.Flatten()(inner(maps))
    return keras.Model(image, layers.Dense(4, "softmax", name="scores")(flat))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_what_is_built_is_what_keras_itself_loads(tmp_path, suffix):
    path = tmp_path / f"model.{suffix}"
    rich().save(path)
    mine, theirs = load_model(path), keras.saving.load_model(path, compile=False)
    assert [layer.get_config() for layer in mine.layers if not hasattr(layer, "layers")] == [
        layer.get_config() for layer in theirs.layers if not hasattr(layer, "layers")
    ]
    for ours, other in zip(mine.variables, theirs.variables, strict=True):
        assert (ours.shape, ours.dtype, ours.trainable) == (
            other.shape,
            other.dtype,
            other.trainable,
        )
        if "seed" not in ours.path:
            np.testing.assert_array_equal(ours, other)


def test_what_is_built_can_be_trained_and_saved_again(tmp_path):
    rich().save(tmp_path / "model.keras")
    model = load_model(tmp_path / "model.keras")
    before = model.get_layer("scores").get_weights()[0]
    model.compile("adam", "sparse_categorical_crossentropy")
    images = np.random.default_rng(0).random((8, 8, 8, 1), np.float32)
    model.fit(images, np.arange(8) % 4, verbose=0)
    assert not np.array_equal(model.get_layer("scores").get_weights()[0], before)
    model.save(tmp_path / "again.keras")
    again = load_model(tmp_path / "again.keras")
    np.testing.assert_allclose(answers(again), answers(model), atol=1e-6)
