"""What layers make of an image is known before any of it is made, however deep they are nested."""

from __future__ import annotations

import keras
import pytest
from keras import layers
from model_refusals import refusal

from badrepair.models.layer_outputs import outputs_of_layers
from badrepair.models.load import load_model


def inner(side=None, up=3):
    """Return a network that makes a small thing of a large one."""
    return keras.Sequential(
        [
            keras.Input((side, side, 1)),
            layers.UpSampling2D(up, name="up"),
            layers.GlobalAveragePooling2D(name="mean"),
        ],
        name="inner",
    )


def around(*steps, shape=(8, 8, 1)):
    entry = tensor = keras.Input(shape, name="image")
    for step in steps:
        tensor = step(tensor)
    return keras.Model(entry, layers.Dense(2, name="scores")(layers.Flatten(name="flat")(tensor)))


@pytest.mark.parametrize("side", [8, None])
def test_the_layers_of_a_nested_network_are_told_for_the_image_that_it_gets(side):
    found = dict(outputs_of_layers(around(inner(side))))
    assert found["up"] == (None, 24, 24, 1)
    assert found["mean"] == found["inner"] == found["flat"] == (None, 1)
    assert found["scores"] == (None, 2)


def test_a_network_nested_twice_is_told_for_the_image_that_it_gets():
    image = keras.Input((None, None, 1))
    middle = keras.Model(image, inner()(layers.ZeroPadding2D(1)(image)), name="middle")
    assert dict(outputs_of_layers(around(middle)))["up"] == (None, 30, 30, 1)


def test_a_network_that_is_called_twice_is_told_twice():
    shared, image = inner(), keras.Input((8, 8, 1))
    both = layers.Add()([shared(image), shared(layers.ZeroPadding2D(1)(image))])
    found = [shape for name, shape in outputs_of_layers(keras.Model(image, both)) if name == "up"]
    assert found == [(None, 24, 24, 1), (None, 30, 30, 1)]


@pytest.mark.parametrize("side", [4, None])
def test_a_network_that_is_called_for_every_step_is_told_for_one(side):
    steps = layers.Reshape((4, 4, 4, 1)), layers.TimeDistributed(inner(side))
    assert dict(outputs_of_layers(around(*steps)))["up"] == (None, 12, 12, 1)


@pytest.mark.parametrize("side", [8, None])
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_bomb_in_a_nested_network_is_refused(tmp_path, side, suffix):
    path = tmp_path / f"bomb.{suffix}"
    around(inner(side, up=2_000)).save(path)
    error = refusal(path)
    assert error.code == "LimitExceeded"
    assert error.problem == "layer up makes 256,000,000 values of one image"


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_nested_network_without_a_bomb_passes(tmp_path, suffix):
    path = tmp_path / f"good.{suffix}"
    around(inner()).save(path)
    assert load_model(path).output_shape == (None, 2)
