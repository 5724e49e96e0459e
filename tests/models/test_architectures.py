"""The built-in networks have the sizes of their sources and recognise their own weights."""

from __future__ import annotations

import keras
import pytest

from badrepair.models import architectures
from badrepair.models.architectures import deepid, resnet20, small_cnn, vgg8
from badrepair.models.weights import shapes_of


def test_the_built_in_networks_are_the_files_of_the_package():
    assert architectures.names() == ("deepid", "resnet20", "small-cnn", "vgg8")
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
    fitting = deepid.fit(shapes_of(deepid.build(classes=40)))
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


def layers_with_kernels(model):
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    return [layer.name for layer in model.layers if isinstance(layer, kinds)]


def test_resnet20_has_twenty_layers_and_two_shortcuts_with_weights():
    model = resnet20.build()
    # BatchNorm has four numbers a channel. By stage: two convolutions a block, the shortcut.
    stem = 27 * 16 + 4 * 16
    first = 6 * (9 * 16 * 16 + 4 * 16)
    second = 9 * 16 * 32 + 5 * 9 * 32 * 32 + 16 * 32 + 7 * 4 * 32
    third = 9 * 32 * 64 + 5 * 9 * 64 * 64 + 32 * 64 + 7 * 4 * 64
    assert model.count_params() == stem + first + second + third + 650 == 274_042
    kernels = layers_with_kernels(model)
    shortcuts = [name for name in kernels if "shortcut" in name]
    assert shortcuts == ["stage_2_block_1_shortcut_conv_1", "stage_3_block_1_shortcut_conv_1"]
    assert len(kernels) - len(shortcuts) == 20
    assert model.get_layer("stage_3_block_3_add").output.shape == (None, 8, 8, 64)


@pytest.mark.parametrize("input_shape", [(28, 28, 1), (32, 32, 3), (55, 47, 3)])
def test_resnet20_takes_images_of_any_size(input_shape):
    model = resnet20.build(input_shape, classes=7)
    assert (model.input_shape, model.output_shape) == ((None, *input_shape), (None, 7))
    fitting = resnet20.fit(shapes_of(model))
    assert fitting is not None
    assert fitting.input_shape == (None, None, None, input_shape[-1])
    assert fitting.output_shape == (None, 7)


def test_vgg8_has_eight_layers_with_weights():
    model = vgg8.build()
    kernels = 9 * (3 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128)
    norms = 4 * 2 * (32 + 64 + 128)
    dense = 4 * 4 * 128 * 256 + 256 + 2570
    assert model.count_params() == kernels + norms + dense == 815_466
    assert len(layers_with_kernels(model)) == 8
    # 55 and 47 pixels are halved to 27 and 23, 13 and 11, 6 and 5.
    assert vgg8.build((55, 47, 3)).get_layer("pool_3").output.shape == (None, 6, 5, 128)


@pytest.mark.parametrize("network", [small_cnn, vgg8])
@pytest.mark.parametrize("side", [24, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_with_a_dense_layer_takes_its_sizes_from_the_weights(network, side, channels):
    shapes = shapes_of(network.build((side, side, channels), classes=5))
    fitting = network.fit(shapes)
    assert fitting is not None
    assert fitting.input_shape == (None, side, side, channels)
    assert fitting.output_shape == (None, 5)


@pytest.mark.parametrize("network", [small_cnn, vgg8])
def test_what_pooling_drops_of_an_image_is_not_in_the_weights(network):
    fitting = network.fit(shapes_of(network.build((28, 28, 1))))
    assert fitting is not None
    assert fitting.input_shape == (None, 24, 24, 1)


@pytest.mark.parametrize("name", ["deepid", "small-cnn", "vgg8"])
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


def test_weights_of_a_shallower_resnet_do_not_fit():
    own = shapes_of(resnet20.build())
    block = "stage_3_block_3_"
    foreign = [
        {},
        {"output": ((3, 3),)},
        {layer: shapes for layer, shapes in own.items() if not layer.startswith(block)},
        {**own, "extra": ((3,),)},
        {**own, "conv_1": ((3, 3, 16),)},
        {**own, "output": ((64,), (10,))},
        {**own, "output": ((), ())},
    ]
    for shapes in foreign:
        assert resnet20.fit(shapes) is None


def test_no_network_takes_anothers_weights_for_its_own():
    networks = [architectures.get(name) for name in architectures.names()]
    for network in networks:
        shapes = shapes_of(network.build(classes=10))
        assert [other for other in networks if other.fit(shapes) is not None] == [network]
