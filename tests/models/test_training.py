"""Training takes Adam's steps on the right loss, reproducibly, and holds what it must hold."""

from __future__ import annotations

import math
from itertools import chain

import keras
import networks
import numpy as np
import pytest
from keras import layers
from networks import GRAPHS, fill

from badrepair.models.pruner import ChannelPruner
from badrepair.models.surgery import copy_model
from badrepair.models.training import Trainer, train
from badrepair.types import Dataset

SETTINGS = {"epochs": 2, "learning_rate": 0.01, "batch_size": 10, "seed": 0}


def trained(model, data, **changes):
    train(model, data, **{**SETTINGS, **changes})
    return model


def one_pixel(*values, labels):
    images = np.array(values, np.float32).reshape(-1, 1, 1, 1)
    return Dataset(images=images, labels=np.array(labels))


def two_scores(head, **options):
    """Return a network with weights and biases of zero whose two scores go through a head."""
    entry = keras.Input((1, 1, 1))
    dense = layers.Dense(2, kernel_initializer="zeros", name="scores", **options)
    return keras.Model(entry, head(dense(layers.Flatten()(entry))))


HEADS = {
    "logits": lambda tensor: tensor,
    "softmax layer": layers.Softmax(),
    "softmax activation": layers.Activation("softmax"),
    "softmax as a function": keras.ops.softmax,
    "softmax, reshaped": lambda tensor: layers.Reshape((2,))(layers.Softmax()(tensor)),
}


@pytest.mark.parametrize("head", HEADS)
def test_mistake_10_two_steps_by_hand_are_the_same_with_and_without_a_softmax(head):
    """The gradient on the biases is p - y: (-1/2, 1/2), and (-1/4, 1/4) after a step of ln(3)/2.

    Adam's averages are then m = 0.9 * 0.1 / 2 + 0.1 / 4 = 0.07 and
    v = 0.999 * 0.001 / 4 + 0.001 / 16 = 0.00031225, corrected by 1 - 0.9^2 and 1 - 0.999^2.
    A softmax taken twice would have made the second step 0.950 of the first instead of 0.932.
    """
    model = two_scores(HEADS[head])
    rate = math.log(3) / 2
    trained(model, one_pixel(0, labels=[0]), learning_rate=rate)
    second = (0.07 / 0.19) / math.sqrt(0.00031225 / 0.001999)
    moved = rate * (1 + second)
    assert second == pytest.approx(0.9322, abs=1e-4)
    biases = model.get_layer("scores").bias.numpy()
    np.testing.assert_allclose(biases, [moved, -moved], rtol=1e-4)


@pytest.mark.parametrize("head", HEADS)
def test_a_separable_problem_is_learnt_whatever_the_head(head):
    data = one_pixel(-2, -1, 1, 2, labels=[0, 0, 1, 1])
    model = trained(two_scores(HEADS[head]), data, epochs=20, learning_rate=0.1)
    assert model(data.images).numpy().argmax(-1).tolist() == [0, 0, 1, 1]


def test_a_softmax_inside_a_nested_network_is_found():
    nested = keras.Sequential([keras.Input((1, 1, 1)), two_scores(layers.Softmax())])
    plain = two_scores(HEADS["logits"])
    for model in (nested, plain):
        trained(model, one_pixel(1, labels=[0]), learning_rate=0.5)
    for one, other in zip(nested.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)


def test_weight_decay_that_the_network_asks_for_counts_in_the_loss():
    model = two_scores(HEADS["logits"], kernel_regularizer="l2", use_bias=False)
    model.get_layer("scores").set_weights([np.array([[1.0, -1.0]])])
    trained(model, one_pixel(0, labels=[0]), epochs=1, learning_rate=0.25)
    np.testing.assert_allclose(model.get_weights()[0], [[0.75, -0.75]], rtol=1e-3)


def test_normalisations_take_up_the_statistics_of_the_batches():
    entry = keras.Input((1, 1, 1))
    tensor = layers.BatchNormalization(momentum=0.9, name="norm")(entry)
    model = keras.Model(entry, layers.Dense(2)(layers.Flatten()(tensor)))
    trained(model, one_pixel(0, 4, labels=[0, 1]), epochs=1)
    norm = model.get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean, [0.1 * 2], rtol=1e-6)
    np.testing.assert_allclose(norm.moving_variance, [0.9 + 0.1 * 4], rtol=1e-6)


def test_layers_that_the_network_froze_stay_frozen(clean):
    model = fill(GRAPHS["sequential"].build())
    model.get_layer("conv").trainable = False
    before = model.get_weights()
    after = trained(model, clean).get_weights()
    same = [np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    assert same == [True, True, False, False]


def test_every_image_is_used_once_a_pass_in_an_order_that_the_seed_fixes(clean, recording):
    def rows(seed):
        images = recording(clean.images)
        data = Dataset(images=images, labels=clean.labels)
        trained(fill(GRAPHS["sequential"].build()), data, seed=seed, label="tuning")
        assert {loop for loop, _ in images.reads} == {"tuning"}
        return [read.tolist() for _, read in images.reads]

    steps = rows(0)
    first, second = (list(chain.from_iterable(part)) for part in (steps[:3], steps[3:]))
    assert [len(step) for step in steps] == [10, 10, 4, 10, 10, 4]
    assert sorted(first) == sorted(second) == list(range(24))
    assert first != second
    assert first != sorted(first)
    assert rows(0) == steps != rows(1)


def test_labels_stay_with_their_images_when_the_order_is_mixed():
    """Each image has a pixel of its own, so that a mix-up could not be learnt."""
    images = np.eye(12, dtype=np.float32).reshape(12, 12, 1, 1)
    data = Dataset(images=images, labels=np.array([0, 1, 1, 0, 2, 2, 1, 0, 2, 0, 1, 2]))
    entry = keras.Input((12, 1, 1))
    model = keras.Model(entry, layers.Dense(3)(layers.Flatten()(entry)))
    trained(model, data, epochs=30, learning_rate=0.1, batch_size=5)
    np.testing.assert_array_equal(model(images).numpy().argmax(-1), data.labels)


def test_after_each_pass_the_caller_is_told_its_number_and_sees_the_network_as_it_is(clean):
    model = fill(GRAPHS["sequential"].build())
    seen = []
    trained(
        model, clean, epochs=3, after_epoch=lambda epoch: seen.append((epoch, model.get_weights()))
    )
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert not np.array_equal(seen[0][1][0], seen[1][1][0])
    np.testing.assert_array_equal(seen[2][1][0], model.get_weights()[0])


def test_no_pass_changes_nothing(clean):
    model = fill(GRAPHS["conv, norm, relu"].build())
    before = model.get_weights()
    trained(model, clean, epochs=0, after_epoch=lambda epoch: pytest.fail("no pass was asked for"))
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def weights_after(data, seed, world):
    """Return the weights of a network with dropout, trained while other seeds differ."""
    keras.utils.set_random_seed(world)
    model = trained(fill(GRAPHS["conv, relu"].build()), data, seed=seed)
    return b"".join(weight.tobytes() for weight in model.get_weights())


def test_the_same_seed_gives_bit_identical_weights_with_dropout_too(clean):
    assert weights_after(clean, 5, world=1) == weights_after(clean, 5, world=2)
    assert weights_after(clean, 5, world=1) != weights_after(clean, 6, world=1)


def test_the_largest_seed_that_numpy_takes_from_a_user_works_with_dropout(clean):
    assert weights_after(clean, 2**63, world=1) != weights_after(clean, 0, world=1)


@pytest.mark.parametrize("name", ["pre-activation", "transposed", "separable"])
def test_mistake_3_pruned_channels_would_grow_back_and_are_held_at_zero(name, clean):
    graph, gone = GRAPHS[name], [1, 3]
    pruner = ChannelPruner(fill(graph.build()))

    def largest(held):
        model, masks = pruner.apply(gone)
        at_zero = []

        def note(epoch):
            at_zero.append(all(np.all(v.numpy()[mask == 0] == 0) for v, mask in masks))

        trained(model, clean, held_at_zero=masks if held else (), after_epoch=note)
        output = networks.output_of(model, graph.silent, clean.images)
        return at_zero, np.abs(output[..., gone]).max()

    assert largest(held=True) == ([True, True], 0)
    if name != "separable":  # there the ReLU passes no gradient to a silent channel
        free, height = largest(held=False)
        assert free == [False, False]
        assert height > 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pruned_weight_that_is_no_number_becomes_zero_and_spoils_no_other(value, clean):
    model = fill(GRAPHS["conv, norm, relu"].build())
    conv, norm = model.get_layer("conv"), model.get_layer("norm")
    masks = []
    for variable in (conv.kernel, norm.gamma, norm.beta, norm.moving_mean):
        mask = np.ones(variable.shape, np.float32)
        mask[..., 2] = 0
        masks.append((variable, mask))
        values = variable.numpy()
        values[..., 2] = value
        variable.assign(values)
    trained(model, clean, held_at_zero=masks)
    for variable, mask in masks:
        assert np.all(variable.numpy()[mask == 0] == 0)
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_a_gradient_that_is_no_number_leaves_pruned_weights_at_zero():
    model = two_scores(HEADS["logits"])
    kernel = model.get_layer("scores").kernel
    mask = np.array([[1, 0]], np.float32)
    trained(model, one_pixel(np.inf, labels=[1]), held_at_zero=[(kernel, mask)])
    assert np.isnan(kernel.numpy()[0, 0])
    assert kernel.numpy()[0, 1] == 0


def test_the_step_falls_along_half_a_cosine_and_starts_where_it_was_set():
    model = two_scores(HEADS["logits"])
    data = one_pixel(0, 1, labels=[0, 1])
    trainer = Trainer(model, data, learning_rate=0.1, batch_size=len(data), seed=0, decay_over=4)
    steps = []
    for number in range(1, 5):
        for _ in trainer.epoch(number):
            steps.append(float(trainer._optimizer.learning_rate))
    # (1 + cos(pi k / 4)) / 2 for k = 0, 1, 2, 3.
    np.testing.assert_allclose(steps, [0.1, 0.0853553, 0.05, 0.0146447], rtol=1e-5)


def test_a_run_taken_up_again_goes_on_with_the_step_that_it_would_have_had():
    model = two_scores(HEADS["logits"])
    data = one_pixel(*range(20), labels=[0, 1] * 10)

    def trainer_of(network):
        return Trainer(network, data, learning_rate=0.01, batch_size=8, seed=0, decay_over=4)

    whole, first = copy_model(model), copy_model(model)
    trainer_of(whole).run(range(1, 5), lambda epoch: None)
    before = trainer_of(first)
    before.run(range(1, 3), lambda epoch: None)
    after = trainer_of(first)
    after.restore(before.state())
    after.run(range(3, 5), lambda epoch: None)
    for one, other in zip(whole.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
