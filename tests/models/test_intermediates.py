"""What layers hold on their way is counted before they run; all numbers are worked out by hand."""

from __future__ import annotations

import keras
import pytest
from keras import layers

from badrepair.models.intermediates import values_within
from badrepair.models.layer_outputs import most_values, outputs_of_layers

STEPS, IMAGE = (None, 6, 4), (None, 5, 3, 2)


@pytest.mark.parametrize(
    ("layer", "inputs", "output", "expected"),
    [
        (layers.Attention(), [STEPS, (None, 7, 4)], STEPS, 6 * 7),
        (layers.Attention(), [STEPS, (None, 7, 4), (None, 7, 4)], STEPS, 6 * 7),
        (layers.AdditiveAttention(), [STEPS, (None, 7, 4)], STEPS, 6 * 7 * 4),
        (layers.MultiHeadAttention(3, 1), [STEPS, STEPS], STEPS, 3 * 6 * 6),
        (layers.MultiHeadAttention(1, 1), [IMAGE, IMAGE], IMAGE, 15 * 15),
        (layers.SeparableConv2D(1, 1, depth_multiplier=9), [IMAGE], (None, 5, 3, 1), 15 * 2 * 9),
        (layers.SeparableConv1D(1, 1, depth_multiplier=9), [STEPS], (None, 6, 1), 6 * 4 * 9),
        (layers.Resizing(2, 8, pad_to_aspect_ratio=True), [IMAGE], (None, 2, 8, 2), 5 * 20 * 2),
        (layers.Resizing(8, 2, pad_to_aspect_ratio=True), [IMAGE], (None, 8, 2, 2), 12 * 3 * 2),
        (layers.Resizing(2, 8), [IMAGE], (None, 2, 8, 2), 0),
        (layers.Conv2D(9, 1), [IMAGE], (None, 5, 3, 9), 0),
    ],
)
def test_the_values_of_one_image_are_counted(layer, inputs, output, expected):
    assert values_within(layer, inputs, output) == expected


def test_a_layer_that_runs_for_every_step_holds_as_many_times_as_much():
    layer = layers.TimeDistributed(layers.SeparableConv2D(1, 1, depth_multiplier=9))
    output = (None, 7, 5, 3, 1)
    assert values_within(layer, [(None, 7, 5, 3, 2)], output) == 7 * 15 * 2 * 9


def test_they_count_as_one_more_output_of_the_layer_in_nested_networks_too():
    entry = keras.Input((6, 4))
    attention = layers.MultiHeadAttention(3, 1, name="heads")
    inner = keras.Model(entry, attention(entry, entry), name="inner")
    image = keras.Input((24, 1, 1))
    model = keras.Model(image, inner(layers.Reshape((6, 4))(image)))
    told = [shape for name, shape in outputs_of_layers(model) if name == "heads"]
    assert told == [(None, 6, 4), (None, 108)]
    assert most_values(model, (24, 1, 1)) == 108
