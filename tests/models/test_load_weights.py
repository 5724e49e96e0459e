"""Weights must fit, be finite and lie in the file itself."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from model_refusals import refusal, whole
from old_keras import (
    SIDE,
    small_config,
    small_model,
    small_weights,
    write_whole,
)

from badrepair.models.load import load_model
from badrepair.scanning import scan


def test_weights_of_another_shape_are_a_mismatch_that_names_the_layer(tmp_path):
    weights = small_weights()
    weights["dense_1"]["kernel"] = np.zeros((50, 3), np.float32)
    error = refusal(write_whole(tmp_path / "bad.h5", small_config(), weights))
    assert error.code == "WeightsMismatch"
    assert error.problem == "layer dense_1 expects (72, 3), (3,), found (50, 3), (3,)"


def test_a_layer_without_weights_is_a_mismatch(tmp_path):
    weights = small_weights()
    del weights["dense_1"]
    error = refusal(write_whole(tmp_path / "bad.h5", small_config(), weights))
    assert error.problem == "layer dense_1 expects (72, 3), (3,), found no such layer"


def test_weights_for_more_layers_than_there_are_is_a_mismatch(tmp_path):
    weights = {**small_weights(), "dense_2": {"kernel": np.zeros((3, 3), np.float32)}}
    error = refusal(write_whole(tmp_path / "bad.h5", small_config(), weights))
    assert error.problem == "the network has no place for layer dense_2 with (3, 3)"


def test_a_keras_3_weights_file_of_another_network_is_a_mismatch(tmp_path):
    image = keras.Input((SIDE, SIDE, 1))
    wider = layers.Dense(4, name="dense_1")(
        layers.Flatten()(layers.Conv2D(2, 3, name="conv_1")(image))
    )
    keras.Model(image, wider).save_weights(tmp_path / "wider.weights.h5")
    path = whole(tmp_path / "small.h5", small_config())
    error = refusal(path, weights=tmp_path / "wider.weights.h5")
    assert error.code == "WeightsMismatch"
    assert error.problem == "layer dense_1 expects (72, 3), (3,), found (72, 4), (4,)"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_counted(tmp_path, bad):
    weights = small_weights()
    weights["conv_1"]["kernel"][0, 0, 0, :] = bad
    error = refusal(write_whole(tmp_path / "bad.h5", small_config(), weights))
    assert error.code == "WeightsNotFinite"
    assert error.problem == "layer conv_1 holds 2 weights that are NaN or infinite"


def test_weights_that_are_no_numbers_are_found_in_a_keras_file(tmp_path):
    model = small_model()
    model.get_layer("dense_1").set_weights([np.full((72, 3), np.nan), np.zeros(3)])
    model.save(tmp_path / "bad.keras")
    error = refusal(tmp_path / "bad.keras")
    assert error.code == "WeightsNotFinite"
    assert error.problem == "layer dense_1 holds 216 weights that are NaN or infinite"


def test_names_in_a_file_of_weights_steer_no_terminal(tmp_path):
    evil = "\x1b[31m\n"
    weights = {**small_weights(), evil: {"kernel": np.zeros((3, 3), np.float32)}}
    error = refusal(write_whole(tmp_path / "bad.h5", small_config(), weights))
    assert error.problem == r"the network has no place for layer \x1b[31m\n with (3, 3)"
    weights = {evil: {"kernel": np.full((3, 3), np.nan, np.float32)}}
    scanned = scan(write_whole(tmp_path / "nan.h5", small_config(), weights))
    problems = [found.problem for found in scanned.findings]
    assert r"layer \x1b[31m\n holds 9 weights that are NaN or infinite" in problems
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file[evil] = np.zeros(3)
    assert refusal(tmp_path / "data.h5").problem.endswith(r"found HDF5 with \x1b[31m\n")


def relink(path, link):
    with h5py.File(path, "r+") as file:
        del file["model_weights/conv_1/conv_1/kernel:0"]
        link(file["model_weights/conv_1/conv_1"])
    return path


def test_links_and_foreign_storage_are_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(np.ones(18, np.float32).tobytes())
    shape = (3, 3, 1, 2)

    def soft(group):
        group["kernel:0"] = h5py.SoftLink("/model_weights/dense_1/dense_1/kernel:0")

    def to_another_file(group):
        group["kernel:0"] = h5py.ExternalLink(str(secret), "/data")

    def external(group):
        group.create_dataset("kernel:0", shape, "f4", external=[(str(secret), 0, 72)])

    def virtual(group):
        layout = h5py.VirtualLayout(shape, "f4")
        layout[:] = h5py.VirtualSource(str(secret), "data", shape)
        group.create_virtual_dataset("kernel:0", layout)

    def hard(group):
        group["kernel:0"] = group.file["model_weights/dense_1/dense_1/kernel:0"]

    for link, code in (
        (soft, "H5Link"),
        (to_another_file, "H5Link"),
        (external, "H5External"),
        (virtual, "H5Virtual"),
        (hard, "H5Alias"),
    ):
        path = whole(tmp_path / f"{link.__name__}.h5", small_config())
        error = refusal(relink(path, link))
        assert error.code == code
        assert "/model_weights/" in error.problem


def test_weights_that_are_text_are_refused(tmp_path):
    path = whole(tmp_path / "bad.h5", small_config())

    def text(group):
        group["kernel:0"] = np.array([b"a"])

    assert refusal(relink(path, text)).code == "H5Dtype"


def test_a_keras_3_array_of_another_shape_is_a_mismatch_even_with_as_many_numbers(tmp_path):
    path = tmp_path / "turned.weights.h5"
    small_model().save_weights(path)
    with h5py.File(path, "r+") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = np.zeros((3, 72), np.float32)
    error = refusal(whole(tmp_path / "small.h5", small_config()), weights=path)
    assert error.code == "WeightsMismatch"
    assert error.problem == "layer dense_1 expects (72, 3), (3,), found (3, 72), (3,)"


def test_an_array_that_is_listed_twice_is_a_mismatch(tmp_path):
    path = write_whole(tmp_path / "bad.h5", small_config(), small_weights())
    with h5py.File(path, "r+") as file:
        names = file["model_weights/dense_1"].attrs["weight_names"]
        file["model_weights/dense_1"].attrs["weight_names"] = [*names, *names]
    error = refusal(path)
    assert (
        error.problem == "layer dense_1 expects (72, 3), (3,), found (72, 3), (3,), (72, 3), (3,)"
    )


def test_an_initializer_that_fits_no_weight_is_not_run(tmp_path):
    config = small_config()
    config["config"]["layers"][0]["config"]["kernel_initializer"] = {
        "class_name": "Identity",
        "config": {"gain": 1.0},
    }
    loaded = load_model(whole(tmp_path / "odd.h5", config))
    kernel = small_weights()["conv_1"]["kernel"]
    np.testing.assert_array_equal(loaded.get_layer("conv_1").get_weights()[0], kernel)


def twins(path, swap):
    """Save a network of two layers alike, after a change of its file."""
    alike = [layers.Dense(5, activation="relu", name=name) for name in ("one", "two")]
    steps = [layers.Flatten(), layers.BatchNormalization(name="norm"), *alike]
    model = keras.Sequential([keras.Input((1, 5, 1)), *steps, layers.Dense(2, name="last")])
    random = np.random.default_rng(4)
    for variable in model.variables:
        variable.assign(random.random(variable.shape) + 0.5)
    model.save(path)
    with h5py.File(path, "r+") as file:
        swap(file["model_weights"])
    return model


def with_others(names, one, other):
    """Return names, two of which have changed places."""
    swapped = {one: other, other: one}
    return [swapped.get(name, name) for name in names]


def test_layers_that_are_named_in_another_order_than_keras_goes_by_are_refused(tmp_path):
    """Keras would load another network than the names tell of."""

    def swap(group):
        group.attrs["layer_names"] = with_others(group.attrs["layer_names"], "one", "two")

    twins(tmp_path / "swapped.h5", swap)
    error = refusal(tmp_path / "swapped.h5")
    assert error.code == "WeightsMismatch"
    assert error.problem.startswith("by their names its layers are in another order")


def test_weights_that_are_named_in_another_order_than_keras_goes_by_are_refused(tmp_path):
    def swap(group):
        names = group["norm"].attrs["weight_names"]
        group["norm"].attrs["weight_names"] = with_others(names, names[0], names[1])

    twins(tmp_path / "swapped.h5", swap)
    error = refusal(tmp_path / "swapped.h5")
    assert error.code == "WeightsMismatch"
    assert "the weights of layer norm are in another order" in error.problem


def test_layers_in_another_order_are_paired_by_name_where_keras_could_not_load_them(tmp_path):
    def swap(group):
        group.attrs["layer_names"] = with_others(group.attrs["layer_names"], "norm", "last")

    model = twins(tmp_path / "swapped.h5", swap)
    image = np.ones((1, 1, 5, 1), np.float32)
    found = load_model(tmp_path / "swapped.h5")(image)
    assert np.allclose(found, model(image), atol=1e-6)


@pytest.mark.parametrize("name", ["one", "norm"])
def test_a_layer_that_is_listed_twice_is_a_mismatch(tmp_path, name):
    def twice(group):
        group.attrs["layer_names"] = [*group.attrs["layer_names"], name]

    twins(tmp_path / "twice.h5", twice)
    assert refusal(tmp_path / "twice.h5").code == "WeightsMismatch"


def test_numbers_beyond_single_precision_are_no_weights(tmp_path):
    weights = small_weights()
    weights["dense_1"]["kernel"] = np.full((72, 3), 1e300)
    path = write_whole(tmp_path / "bad.h5", small_config(), weights)
    assert refusal(path).code == "WeightsNotFinite"
    assert [found.code for found in scan(path).findings] == ["WeightsNotFinite"]
