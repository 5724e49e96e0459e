"""A ReLU and a max pooling at the start of a network are found, and nothing that looks like it."""

from __future__ import annotations

import keras
import pytest
from keras import layers
from networks import fill

from badrepair.models.fused_front import fused_front

SHAPE = (7, 6, 2)


def network(*start):
    """Return a network that begins with some layers and goes on with a convolution."""
    entry = tensor = keras.Input(SHAPE)
    for layer in (*start, layers.Conv2D(3, 2), layers.Flatten(), layers.Dense(4)):
        tensor = layer(tensor)
    return fill(keras.Model(entry, tensor))


def names(front):
    return [layer.name for layer in front.rest.layers[1:]]


@pytest.mark.parametrize(
    ("start", "rectified", "window"),
    [
        (lambda: [layers.ReLU(), layers.MaxPooling2D(2)], True, (2, 2)),
        (lambda: [layers.Activation("relu"), layers.MaxPooling2D((3, 2))], True, (3, 2)),
        (lambda: [layers.MaxPooling2D(2)], False, (2, 2)),
        (lambda: [layers.ReLU()], True, (1, 1)),
        (list, False, (1, 1)),
    ],
)
def test_what_is_found_is_taken_off(start, rectified, window):
    model = network(*start())
    behind = [layer.name for layer in model.layers[1 + len(start()) :]]
    front = fused_front(model)
    assert (front.rectified, front.window) == (rectified, window)
    assert names(front) == behind


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.MaxPooling2D(2, strides=1),
        lambda: layers.MaxPooling2D(2, strides=3),
        lambda: layers.MaxPooling2D(2, padding="same"),
        lambda: layers.MaxPooling2D(2, data_format="channels_first"),
        lambda: layers.AveragePooling2D(2),
        lambda: layers.ReLU(max_value=6.0),
        lambda: layers.ReLU(negative_slope=0.1),
        lambda: layers.ReLU(threshold=0.1),
        layers.LeakyReLU,
        lambda: layers.Activation("relu6"),
        lambda: layers.Activation("gelu"),
    ],
)
def test_what_looks_like_it_is_left_where_it_is(layer):
    front = fused_front(network(layer()))
    assert (front.rectified, front.window) == (False, (1, 1))
    assert len(names(front)) == 4


def test_what_two_layers_read_is_left_where_it_is():
    entry = keras.Input(SHAPE)
    both = layers.Add()([layers.ReLU()(entry), entry])
    front = fused_front(keras.Model(entry, layers.Flatten()(both)))
    assert not front.rectified


def test_a_nested_network_is_looked_into():
    front = fused_front(network(keras.Sequential([layers.ReLU(), layers.MaxPooling2D(2)])))
    assert (front.rectified, front.window) == (True, (2, 2))


def test_a_network_that_would_vanish_is_left_alone():
    entry = keras.Input(SHAPE)
    front = fused_front(keras.Model(entry, layers.ReLU()(entry)))
    assert not front.rectified
    assert len(names(front)) == 1
