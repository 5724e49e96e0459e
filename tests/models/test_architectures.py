"""The built-in networks have the sizes of their sources and recognise their own weights."""

from __future__ import annotations

import pytest

from badrepair.models import architectures
from badrepair.models.architectures import deepid, small_cnn
from badrepair.models.weights import shapes_of


def test_the_built_in_networks_are_the_files_of_the_package():
    assert architectures.names() == ("deepid", "small-cnn")
    assert architectures.get("small-cnn") is small_cnn


def test_deepid_is_the_network_of_the_competition():
    model = deepid.build()
    assert model.count_params() == 601_643
    assert model.input_shape == (None, 55, 47, 3)
    assert {layer.name for layer in model.layers} == {
        *("input", "conv_1", "pool_1", "conv_2", "pool_2", "conv_3", "pool_3", "flatten_1"),
        *("fc_1", "conv_4", "flatten_2", "fc_2", "add_1", "activation_1", "output"),
    }
    assert shapes_of(model)["fc_1"] == ((1200, 160), (160,))
    assert shapes_of(model)["fc_2"] == ((960, 160), (160,))


def test_deepid_takes_its_number_of_classes_from_the_weights():
    fitting = deepid.fit(shapes_of(deepid.build(40)))
    assert fitting is not None
    assert fitting.output_shape == (None, 40)


@pytest.mark.parametrize(
    ("input_shape", "parameters"),
    [
        # conv 1: 9*16+16, conv 2: 144*32+32, conv 3: 288*64+64; then 3*3*64*64+64 and 64*10+10.
        ((24, 24, 1), 160 + 4640 + 18_496 + 36_928 + 650),
        # Three colours: 27*16+16; four by four maps: 4*4*64*64+64.
        ((32, 32, 3), 448 + 4640 + 18_496 + 65_600 + 650),
    ],
)
def test_the_small_network_has_the_sizes_worked_out_by_hand(input_shape, parameters):
    model = small_cnn.build(input_shape)
    assert model.count_params() == parameters
    assert not [layer for layer in model.layers if "normal" in layer.name]


@pytest.mark.parametrize("side", [24, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_small_network_takes_its_sizes_from_the_weights(side, channels):
    shapes = shapes_of(small_cnn.build((side, side, channels), classes=5))
    fitting = small_cnn.fit(shapes)
    assert fitting is not None
    assert fitting.input_shape == (None, side, side, channels)
    assert fitting.output_shape == (None, 5)


@pytest.mark.parametrize("name", ["deepid", "small-cnn"])
def test_weights_of_another_network_do_not_fit(name):
    own = shapes_of(architectures.get(name).build())
    foreign = [
        {},
        {"output": ((3, 3),)},
        {layer: shapes for layer, shapes in own.items() if layer != "conv_2"},
        {**own, "extra": ((3,),)},
        {**own, "conv_2": ((5, 5, 1, 1), (1,))},
        {**own, "output": ((), ())},
        {**own, "fc_1": ((1, 64), (64,))},
    ]
    for shapes in foreign:
        assert architectures.get(name).fit(shapes) is None


def test_no_network_takes_anothers_weights_for_its_own():
    assert deepid.fit(shapes_of(small_cnn.build())) is None
    assert small_cnn.fit(shapes_of(deepid.build(10))) is None
