"""The shapes of weights tell for which images and classes a network was built."""

from __future__ import annotations

import keras
import pytest
from keras import layers

from badrepair.models import architectures
from badrepair.models.fitting import fitting, for_square_images, kernels
from badrepair.models.weights import shapes_of

POOLINGS, CHANNELS = 2, 3
# Images of 8x8 and one colour are halved twice, to 2x2 places of three channels each: twelve
# numbers for five neurons, and seven classes.
SHAPES = {
    "conv_1": ((3, 3, 1, 3), (3,)),
    "fc_1": ((12, 5), (5,)),
    "output": ((5, 7), (7,)),
}


def build(input_shape, classes):
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(CHANNELS, 3, padding="same", name="conv_1")(inputs)
    for _ in range(POOLINGS):
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(5, name="fc_1")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(classes, name="output")(x))


def square(shapes, build=build):
    return for_square_images(build, shapes, poolings=POOLINGS, channels=CHANNELS)


def not_to_build(input_shape, classes):
    pytest.fail("nothing to build")


def test_kernels_are_the_first_weights_that_have_axes():
    shapes = {
        "conv": ((3, 3, 1, 16), (16,)),
        "norm": ((16,), (16,), (16,), (16,)),
        "scale": ((), (4,)),
        "empty": (),
    }
    assert kernels(shapes) == {"conv": (3, 3, 1, 16), "norm": (16,)}
    assert kernels({}) == {}


def test_a_network_fits_weights_of_its_own_shapes():
    model = build((8, 8, 1), 7)
    assert fitting(model, SHAPES) is model
    backwards = dict(reversed(SHAPES.items()))
    assert fitting(model, backwards) is model


@pytest.mark.parametrize(
    "changes",
    [
        {"output": ((5, 8), (8,))},
        {"output": ((5, 7),)},
        {"output": ((7,), (5, 7))},
        {"output": ()},
        {"extra": ((3,),)},
        {"extra": ()},
    ],
)
def test_a_network_does_not_fit_other_weights(changes):
    assert fitting(build((8, 8, 1), 7), {**SHAPES, **changes}) is None


@pytest.mark.parametrize("missing", SHAPES)
def test_a_network_does_not_fit_weights_of_which_a_layer_is_missing(missing):
    left = {name: shapes for name, shapes in SHAPES.items() if name != missing}
    assert fitting(build((8, 8, 1), 7), left) is None
    assert square(left, not_to_build) is None


@pytest.mark.parametrize(
    ("inputs", "side"),
    [(3, 4), (12, 8), (27, 12), (300, 40)],
)
@pytest.mark.parametrize("colours", [1, 3])
def test_the_dense_layer_tells_the_side_of_the_image(inputs, side, colours):
    # Three channels see one place, 2x2, 3x3 and 10x10 places, and each is four pixels wide.
    own = {"conv_1": ((3, 3, colours, 3), (3,)), "fc_1": ((inputs, 5), (5,))}
    found = square({**SHAPES, **own})
    assert found.input_shape == (None, side, side, colours)
    assert found.output_shape == (None, 7)


@pytest.mark.parametrize("side", [8, 9, 10, 11])
def test_the_smallest_image_is_taken_of_those_that_have_the_same_weights(side):
    assert fitting(build((side, side, 1), 7), SHAPES) is not None
    assert square(SHAPES).input_shape == (None, 8, 8, 1)


@pytest.mark.parametrize("inputs", [11, 13, 18, 24])
def test_images_that_are_not_square_are_not_found(inputs):
    # 18 is 2x3 places and 24 is 2x4.
    assert square({**SHAPES, "fc_1": ((inputs, 5), (5,))}) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"fc_1": ((2, 5), (5,))},  # less than one place
        {"fc_1": ((0, 5), (5,))},
        {"conv_1": ((3, 3, 3), (3,))},
        {"conv_1": ((3, 3, 3, 1, 3), (3,))},
        {"conv_1": ((), (3,))},
        {"fc_1": ()},
        {"output": ((), (7,))},
    ],
)
def test_weights_that_tell_no_size_build_nothing(changes):
    assert square({**SHAPES, **changes}, not_to_build) is None


def test_other_layers_must_fit_as_well():
    assert square({**SHAPES, "conv_2": ((3, 3, 3, 3), (3,))}) is None
    assert square({**SHAPES, "fc_1": ((12, 6), (6,))}) is None


@pytest.mark.parametrize("name", architectures.names())
def test_weights_of_no_numbers_are_those_of_no_network(name):
    """A hostile file can declare such: Keras builds no layer of them."""
    shapes = dict(shapes_of(architectures.get(name).build(classes=4)))
    no_classes = {**shapes, "output": ((shapes["output"][0][0], 0), (0,))}
    assert architectures.get(name).fit(no_classes) is None
    height, width, _, channels = shapes["conv_1"][0]
    no_colours = {**shapes, "conv_1": ((height, width, 0, channels), *shapes["conv_1"][1:])}
    assert architectures.get(name).fit(no_colours) is None
