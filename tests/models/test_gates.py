"""A gate scales what a filter makes and what its layer adds, and can be folded back exactly."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from badrepair.errors import ModelError
from badrepair.models.architectures import get, names
from badrepair.models.gates import GatedNetwork
from badrepair.models.logits import logits_model
from badrepair.models.seeded import seeded

RANDOM = np.random.default_rng(7)


def shaken(model):
    """Give every weight, statistics of normalisations too, a value of its own."""
    random = np.random.default_rng(3)
    model.set_weights(
        [
            random.uniform(0.5, 1.5, w.shape)
            if "variance" in v.path
            else w + 0.1 * random.normal(size=w.shape)
            for v, w in zip(model.weights, model.get_weights(), strict=True)
        ]
    )
    return model


def turned(gated):
    """Give every gate a mask and noises."""
    random = np.random.default_rng(5)
    for one in gated.gated:
        gate = one.gate
        gate.mask.assign(random.uniform(0, 1, gate.mask.shape))
        gate.filter_noise.assign(random.uniform(-0.4, 0.4, gate.mask.shape))
        gate.bias_noise.assign(random.uniform(-0.4, 0.4, gate.mask.shape))
    return gated


def logits(model, images):
    return logits_model(model)(images, training=False).numpy()


def images_for(model):
    return RANDOM.uniform(size=(4, *model.input_shape[1:])).astype(np.float32)


def assert_alike(found, wanted):
    """Compare within what 32 bits forget of the largest value."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6 * np.abs(wanted).max())


def known(name):
    with seeded(1):
        return shaken(get(name).build())


@pytest.mark.parametrize("name", names())
def test_open_gates_change_nothing(name):
    model = known(name)
    images = images_for(model)
    network = GatedNetwork(model).network
    assert_alike(network(images, training=False), logits(model, images))


@pytest.mark.parametrize("name", names())
def test_a_folded_network_answers_as_the_one_with_gates(name):
    model = known(name)
    images, gated = images_for(model), turned(GatedNetwork(model))
    through = gated.network(images, training=False).numpy()
    folded = gated.folded()
    assert [w.shape for w in folded.get_weights()] == [w.shape for w in model.get_weights()]
    assert_alike(logits(folded, images), through)


def test_the_network_that_was_given_is_left_alone():
    model = known("resnet20")
    before = model.get_weights()
    turned(GatedNetwork(model)).folded(silent=True)
    assert all(map(np.array_equal, before, model.get_weights()))
    assert model.get_layer("output").activation is keras.activations.softmax


def test_filter_and_bias_are_scaled_as_worked_out_by_hand():
    dense = layers.Dense(1, name="hidden")
    head = layers.Dense(2, name="head")
    model = keras.Sequential([keras.Input((1, 1, 1)), layers.Flatten(), dense, head])
    dense.set_weights([np.array([[3.0]]), np.array([2.0])])
    head.set_weights([np.array([[1.0, 0.0]]), np.zeros(2)])
    gated = GatedNetwork(model)
    (one,) = gated.gated
    one.gate.mask.assign([0.5])
    one.gate.filter_noise.assign([0.2])
    one.gate.bias_noise.assign([-0.25])
    # The filter: 1.2 times 0.5 times 3 times 10 is 18; the bias: 0.75 times 2 is 1.5.
    answer = gated.network(np.full((1, 1, 1, 1), 10.0, np.float32), training=False)
    np.testing.assert_allclose(answer, [[19.5, 0.0]], rtol=1e-6)
    kernel, bias = gated.folded().get_layer("hidden").get_weights()
    np.testing.assert_allclose([kernel[0, 0], bias[0]], [1.8, 1.5], rtol=1e-6)


def test_a_silent_channel_loses_what_is_added_to_it_too():
    gated = GatedNetwork(known("small-cnn"))
    gated.gated[0].gate.mask.assign(np.arange(16) > 0)
    kept, gone = (gated.folded(silent=silent).get_layer("conv_1") for silent in (False, True))
    assert not np.any(kept.kernel[..., 0])
    assert not np.any(gone.kernel[..., 0])
    assert kept.bias[0] != 0
    assert gone.bias[0] == 0
    np.testing.assert_array_equal(kept.bias[1:], gone.bias[1:])


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("use_bias", [True, False])
def test_a_normalisation_without_scale_or_centre_is_folded_as_well(scale, center, use_bias):
    model = shaken(
        keras.Sequential(
            [
                keras.Input((8, 8, 2)),
                layers.Conv2D(3, 3, use_bias=use_bias),
                layers.BatchNormalization(scale=scale, center=center),
                layers.ReLU(),
                layers.GlobalAveragePooling2D(),
                layers.Dense(4),
            ]
        )
    )
    gated, images = turned(GatedNetwork(model)), images_for(model)
    through = gated.network(images, training=False).numpy()
    assert_alike(logits(gated.folded(), images), through)


def test_a_layer_that_runs_twice_has_no_gate():
    image = keras.Input((6, 6, 2))
    once, twice = layers.Conv2D(2, 1, name="once"), layers.Conv2D(2, 1, name="twice")
    answer = layers.Dense(3)(layers.Flatten()(twice(twice(once(image)))))
    assert [one.name for one in GatedNetwork(keras.Model(image, answer)).gated] == ["once"]


def test_a_network_without_channels_is_refused():
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(ModelError, match="expected a convolution or a hidden Dense layer"):
        GatedNetwork(model)


def test_masks_and_noises_can_be_trained():
    import tensorflow as tf

    gated = GatedNetwork(known("small-cnn"))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(gated.network(images_for(gated.network), training=False) ** 2)
    trained = [*gated.masks, *gated.noises, *gated.variables]
    assert all(one is not None for one in tape.gradient(loss, [v.value for v in trained]))
