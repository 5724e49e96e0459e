"""The sweep says what plain Keras says, whatever numbers and precisions a network works with."""

from __future__ import annotations

import keras
import networks
import numpy as np
import pytest
from keras import layers
from networks import GRAPHS, chain, conv, fill, pool

from badrepair.defenses.fine_pruning import FinePruning
from badrepair.errors import ModelError, OptionError
from badrepair.models.pruner import ChannelPruner
from badrepair.types import Dataset

POLICIES = ["float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16"]


def answers(model, images):
    return model.predict(images, verbose=0).argmax(axis=-1)


def assert_sweep_is_what_plain_keras_says(model, order, images):
    pruner = ChannelPruner(model, batch_size=10)
    labels = answers(model, images)
    dataset = Dataset(images=images, labels=labels)
    by_hand = [
        np.mean(answers(pruner.apply(order[:level])[0], images) == labels)
        for level in range(len(order) + 1)
    ]
    assert pruner.sweep(order, dataset).tolist() == by_hand
    with pruner.judging(order, dataset) as accuracy:
        assert [accuracy(count) for count in range(len(order) + 1)] == by_hand


def shouting(value):
    """Return a network whose pruned layer holds a huge constant that the next one turns to 0."""
    steps = conv("relu", "loud"), conv("relu", "deaf", channels=4, size=1), pool()
    model = fill(chain(*steps), seed=4)
    kernel, bias = model.get_layer("loud").get_weights()
    kernel[..., 2], bias[2] = 0, value
    model.get_layer("loud").set_weights([kernel, bias])
    kernel, bias = model.get_layer("deaf").get_weights()
    kernel[0, 0, 2] = [-2, 0, 0, 0]
    model.get_layer("deaf").set_weights([kernel, bias])
    return model


@pytest.mark.parametrize("value", [1e14, 3e38, np.inf])
def test_a_huge_activation_cannot_switch_pruning_off(value, clean):
    """What it contributes overflows, and a level at which it is pruned would add 0 * infinity."""
    pruner = ChannelPruner(shouting(value), ["loud"], batch_size=10)
    order = np.array([2, 0, 1, 3, 4])
    for level in range(1, 6):
        labels = answers(pruner.apply(order[:level])[0], clean.images)
        dataset = Dataset(images=clean.images, labels=labels)
        assert pruner.sweep(order, dataset)[level] == 1


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["conv, norm, relu", "branching", "pre-activation"])
def test_other_precisions_are_swept_as_they_are_run(name, policy, clean):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = fill(GRAPHS[name].build())
        order = np.array([3, 1, 0, 4, 2])
        assert_sweep_is_what_plain_keras_says(model, order, clean.images)
        assert np.isfinite(ChannelPruner(model).mean_maps(clean.images)[0]).all()
    finally:
        keras.config.set_dtype_policy(before)


def test_a_softmax_on_a_layer_of_another_kind_is_left_on_it(clean):
    entry = networks.image()
    tensor = layers.GlobalAveragePooling2D()(conv("relu")(entry))
    tensor = layers.Dense(6, "relu")(tensor)
    scores = layers.EinsumDense("bi,io->bo", 3, activation="softmax")(tensor)
    model = fill(keras.Model(entry, scores))
    assert_sweep_is_what_plain_keras_says(model, np.arange(5), clean.images)


def test_arithmetic_of_keras_behind_the_layer_is_swept_as_any_other_step(clean):
    entry = networks.image()
    tensor = (conv("relu")(entry) + 1.0) * 2.0
    model = fill(keras.Model(entry, layers.Dense(3)(layers.Flatten()(tensor))))
    assert_sweep_is_what_plain_keras_says(model, np.arange(5), clean.images)


def test_a_normalisation_along_another_axis_is_no_business_of_a_channel():
    model = chain(conv(padding="same"), layers.BatchNormalization(axis=1), layers.ReLU(), pool())
    with pytest.raises(ModelError, match="a silent channel would speak") as caught:
        ChannelPruner(model)
    assert caught.value.code == "UnsupportedTopology"


def test_a_normalisation_that_names_the_last_axis_is_as_good_as_any(clean):
    norm = layers.BatchNormalization(axis=3, name="norm")
    model = fill(chain(conv(), norm, layers.ReLU(), pool()))
    assert_sweep_is_what_plain_keras_says(model, np.arange(5), clean.images)


def test_channels_on_the_first_axis_are_refused():
    flatten = layers.Flatten(data_format="channels_first", name="turned")
    with pytest.raises(ModelError, match="the last axis, found channels_first") as caught:
        ChannelPruner(chain(conv("relu"), flatten))
    assert caught.value.where == "turned"


@pytest.mark.parametrize("names", ["auto", ()])
def test_layers_are_a_sequence_of_names(names):
    with pytest.raises(OptionError, match="that is a sequence of names"):
        FinePruning(layers=names)


def test_all_layers_stand_alone():
    with pytest.raises(OptionError, match="expected all alone"):
        ChannelPruner(fill(GRAPHS["branching"].build()), ["all", "typo"])
