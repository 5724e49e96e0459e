"""Every format that Keras 3 writes loads by its content, with weights and network mixed freely."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from keras import layers
from old_keras import (
    SIDE,
    answers,
    fill,
    small_config,
    small_model,
    small_weights,
    write_weights_only,
    write_whole,
)

from badrepair.models import architectures
from badrepair.models.load import load_model


def known():
    return fill(small_model(), small_weights())


def assert_same(loaded, model):
    np.testing.assert_allclose(answers(loaded), answers(model), atol=1e-6)


def save(model, path):
    """Save under a name that Keras accepts, then move to any other."""
    model.save(path)
    return path


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model", "model.H5", "a.weights.h5"])
def test_a_keras_file_loads_under_any_name(tmp_path, name):
    path = save(known(), tmp_path / "saved.keras").rename(tmp_path / name)
    assert_same(load_model(path), known())


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model", "model.hdf5"])
def test_a_whole_h5_file_of_keras_3_loads_under_any_name(tmp_path, name):
    path = save(known(), tmp_path / "saved.h5").rename(tmp_path / name)
    assert_same(load_model(path), known())


@pytest.mark.parametrize("name", ["model.weights.h5", "model.h5", "model"])
def test_a_weights_file_of_keras_3_loads_under_any_name(tmp_path, name):
    known().save_weights(tmp_path / "saved.weights.h5")
    path = (tmp_path / "saved.weights.h5").rename(tmp_path / name)
    arch = write_whole(tmp_path / "arch.h5", small_config(), small_weights())
    assert_same(load_model(path, arch=str(arch)), known())


def described_by_keras_3():
    return known().to_json()


def described_by_keras_2():
    return json.dumps({**small_config(), "keras_version": "2.4.0", "backend": "tensorflow"})


@pytest.mark.parametrize("describe", [described_by_keras_2, described_by_keras_3])
def test_a_network_in_json_of_any_keras_takes_weights(tmp_path, describe):
    arch = tmp_path / "arch.json"
    arch.write_text(describe())
    path = write_weights_only(tmp_path / "w.h5", small_weights())
    assert_same(load_model(path, arch=str(arch)), known())
    assert_same(load_model(arch, weights=path), known())


def test_other_weights_replace_those_of_a_whole_model(tmp_path):
    path = save(small_model(), tmp_path / "model.keras")
    only = write_weights_only(tmp_path / "w.h5", small_weights())
    whole = write_whole(tmp_path / "whole.h5", small_config(), small_weights())
    zipped = save(known(), tmp_path / "other.keras")
    for weights in (only, whole, zipped):
        assert_same(load_model(path, weights=weights), known())


def test_another_network_may_take_the_weights_of_a_whole_file(tmp_path):
    path = write_whole(tmp_path / "whole.h5", small_config(), small_weights())
    arch = tmp_path / "arch.json"
    arch.write_text(described_by_keras_3())
    assert_same(load_model(path, arch=str(arch)), known())


def test_a_compiled_network_comes_back_uncompiled(tmp_path):
    model = known()
    model.compile(optimizer="adam", loss=keras.losses.CategoricalFocalCrossentropy())
    loaded = load_model(save(model, tmp_path / "model.keras"))
    assert not loaded.compiled
    assert_same(loaded, known())


def small_head():
    return keras.Sequential(
        [keras.Input((SIDE, SIDE, 1)), layers.Flatten(), layers.Dense(3, name="out")]
    )


def test_lists_of_one_input_and_one_output_are_unpacked(tmp_path):
    image = keras.Input((SIDE, SIDE, 1))
    model = keras.Model([image], [layers.Dense(3, name="out")(layers.Flatten()(image))])
    loaded = load_model(save(model, tmp_path / "model.keras"))
    assert tuple(loaded.output.shape) == (None, 3)
    assert tuple(loaded.input.shape) == (None, SIDE, SIDE, 1)
    expected = fill(small_head(), {"out": dict(enumerate(model.layers[-1].get_weights()))})
    assert_same(loaded, expected)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_nested_models_random_layers_and_operations_load(tmp_path, suffix):
    base = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.RandomFlip(),
            layers.Conv2D(2, 3),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
        ]
    )
    image = keras.Input((SIDE, SIDE, 1))
    maps = (base(image) + 3.0) * 0.5 - 1.0
    flat = keras.ops.reshape(maps / 2.0, (-1, 72))
    model = keras.Model(image, layers.Dense(3, activation="softmax")(flat))
    assert_same(load_model(save(model, tmp_path / f"model.{suffix}")), model)


@pytest.mark.parametrize(
    "name", ["MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "ResNet50V2", "ConvNeXtTiny"]
)
def test_the_networks_of_keras_applications_pass(tmp_path, name):
    build = getattr(keras.applications, name)
    model = build(weights=None, input_shape=(32, 32, 3), classes=10)
    path = save(model, tmp_path / "model.keras")
    expected = answers(model, side=32, channels=3)
    np.testing.assert_allclose(answers(load_model(path), side=32, channels=3), expected, atol=1e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "float64"])
def test_the_type_policy_of_a_network_is_kept(tmp_path, policy):
    model = keras.Sequential(
        [keras.Input((SIDE, SIDE, 1)), layers.Flatten(), layers.Dense(3, dtype=policy)]
    )
    loaded = load_model(save(model, tmp_path / "model.keras"))
    assert loaded.layers[-1].dtype_policy.name == policy


@pytest.mark.parametrize("name", ["deepid", "resnet20", "small-cnn", "vgg8"])
@pytest.mark.parametrize("given", [True, False])
def test_weights_of_a_built_in_network_need_no_description(tmp_path, name, given):
    model = architectures.get(name).build(classes=7)
    path = tmp_path / "only.weights.h5"
    model.save_weights(path)
    loaded = load_model(path, arch=name if given else None)
    assert loaded.output_shape == (None, 7)
    for mine, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_normalisation_with_learnt_statistics_answers_the_same(tmp_path):
    normal = layers.Normalization(axis=-1)
    normal.adapt(np.random.default_rng(0).normal(3, 2, (16, SIDE, SIDE, 1)).astype(np.float32))
    model = keras.Sequential(
        [keras.Input((SIDE, SIDE, 1)), normal, layers.Flatten(), layers.Dense(3)]
    )
    assert_same(load_model(save(model, tmp_path / "model.keras")), model)
