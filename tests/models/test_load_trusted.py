"""What trust lets through reaches Keras as it is; the rest as in a file that needs no trust."""

from __future__ import annotations

import hashlib

import keras
import numpy as np
import pytest
from keras import layers
from model_refusals import keras_file
from old_keras import (
    answers,
    entry,
    fill,
    sequential,
    small_config,
    small_model,
    small_weights,
    write_whole,
)

from badrepair.errors import ModelError
from badrepair.models import legacy
from badrepair.models.load import load_model


def trusting(path):
    """Load a file that the user trusts."""
    return load_model(path, trusted=[f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"])


def recurrent():
    image = keras.Input((8, 8, 1))
    rows = layers.Bidirectional(layers.LSTM(4), name="both")(layers.Reshape((8, 8))(image))
    return keras.Model(image, layers.Dense(3, name="dense_1")(rows))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_layer_of_keras_that_is_not_known_is_loaded_from_any_format(tmp_path, suffix):
    path, model = tmp_path / f"model.{suffix}", recurrent()
    model.save(path)
    with pytest.raises(ModelError, match="Bidirectional"):
        load_model(path)
    np.testing.assert_allclose(answers(trusting(path)), answers(model), atol=1e-6)


def test_what_needs_no_trust_is_made_modern_beside_what_does(tmp_path):
    """Keras 2 wrote the shape into the first layer, and keys that Keras 3 refuses."""
    first, *others = small_config()["config"]["layers"]
    others[-1]["config"]["kernel_initializer"]["config"]["dtype"] = "float32"
    batch = entry("BatchNormalizationV1", "norm", fused=True, virtual_batch_size=None)
    masking = entry("Masking", "mask", mask_value=-5.0)
    config = sequential(first, batch, *others, masking)
    ones = [np.ones(2, np.float32), *[np.zeros(2, np.float32)] * 2, np.ones(2, np.float32)]
    keys = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = small_weights()
    weights = {**weights, "norm": dict(zip(keys, ones, strict=True))}
    path = write_whole(tmp_path / "old.h5", config, weights)
    with pytest.raises(ModelError, match="Masking"):
        load_model(path)
    expected = answers(fill(small_model(), small_weights()))
    np.testing.assert_allclose(answers(trusting(path)), expected, atol=1e-2)


def inside_of(layer, **more):
    """Return what becomes of a layer that a trusted class is made with."""
    config = sequential(entry("InputLayer", "i", batch_shape=[None, 8, 8, 1]), layer)
    [_, foreign] = legacy.modern(config, "file", **more)["config"]["layers"]
    return foreign


def test_what_is_known_inside_a_trusted_class_is_made_modern():
    policy = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
    own = {
        "cell": entry("LeakyReLU", "leaky", alpha=0.5),
        "kernel_initializer": {"class_name": "Zeros", "config": {"dtype": "float32"}},
        "dtype": policy,
        "axis": [1],
    }
    foreign = inside_of(entry("Strange", "odd", **own), trusted=True)
    assert (foreign["module"], foreign["class_name"]) == (None, "Strange")
    assert foreign["config"]["cell"]["module"] == "keras.layers"
    assert foreign["config"]["cell"]["config"]["negative_slope"] == 0.5
    assert foreign["config"]["kernel_initializer"]["config"] == {}
    assert (foreign["config"]["dtype"], foreign["config"]["axis"]) == ("mixed_float16", [1])


def test_a_known_name_of_another_module_is_not_taken_for_keras_own():
    elsewhere = {**entry("Dense", "odd", units=3), "module": "strange.layers"}
    assert inside_of(elsewhere, trusted=True)["module"] == "strange.layers"
    registered = {**entry("Dense", "odd", units=3), "registered_name": "strange>Dense"}
    assert inside_of(registered, trusted=True)["registered_name"] == "strange>Dense"


def test_an_initializer_that_is_not_known_stays_as_it_is():
    strange = {"class_name": "Strange", "module": "strange", "config": {"a": 1}}
    made = inside_of(entry("Dense", "d", units=3, kernel_initializer=strange), trusted=True)
    assert made["config"]["kernel_initializer"] == strange
    assert made["module"] == "keras.layers"


def test_without_trust_nothing_stays_as_it_is():
    with pytest.raises(ModelError, match="ConfigInvalid"):
        inside_of(entry("Strange", "odd"))
    with pytest.raises(ModelError, match="ConfigInvalid"):
        legacy.modern(entry("Strange", "odd"), "file")


def test_a_python_lambda_does_not_run_whatever_is_trusted(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3)])
    model.add(layers.Lambda(lambda x: 1 / 0 if isinstance(x, str) else x * 2, name="evil"))
    for suffix in ("keras", "h5"):
        path = tmp_path / f"model.{suffix}"
        model.save(path)
        with pytest.raises(ModelError, match="ConfigInvalid"):
            trusting(path)


def test_a_class_of_nobody_is_one_line_in_a_trusted_file_too(tmp_path):
    def change(config):
        config["config"]["layers"][-1].update(class_name="Strange", module="strange")

    with pytest.raises(ModelError, match="ConfigInvalid") as caught:
        trusting(keras_file(tmp_path / "bad.keras", change))
    assert str(caught.value).isprintable()
    path = write_whole(tmp_path / "m.h5", sequential(entry("Strange", "odd")), small_weights())
    with pytest.raises(ModelError):
        trusting(path)
