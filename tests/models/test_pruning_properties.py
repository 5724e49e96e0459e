"""Whatever is pruned of whatever network, all ways to prune it give the same outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from networks import fill

from badrepair.errors import ModelError
from badrepair.models import surgery
from badrepair.models.pruner import ChannelPruner
from badrepair.models.sites import find_site
from badrepair.models.slimming import slimmed

IMAGES = np.random.default_rng(7).normal(size=(3, 9, 7, 2)).astype(np.float32)
MAKERS = (layers.Conv2D, layers.Conv2DTranspose, layers.SeparableConv2D, layers.Dense)
# Behind them, channels that are pruned need not be the same in all that meets, or cannot go.
MEETING = {"residual", "gate", "grouped", "branch", "growth"}

SIZES = st.tuples(st.integers(1, 3), st.integers(1, 3))
ACTIVATIONS = st.sampled_from([None, "relu", "tanh", "elu", "silu"])
CONVOLUTION = st.fixed_dictionaries(
    {
        # Not one: oneDNN has no compiled 1x1 convolution from one channel to one.
        "filters": st.integers(2, 4),
        "kernel_size": SIZES,
        "strides": st.sampled_from([1, 2]),
        "padding": st.sampled_from(["same", "valid"]),
        "activation": ACTIVATIONS,
        "use_bias": st.booleans(),
    }
)
POOLING = st.fixed_dictionaries(
    {"pool_size": SIZES, "strides": SIZES, "padding": st.sampled_from(["same", "valid"])}
)
NORMED = st.booleans()
KINDS = [
    *("convolution", "dilated", "separable", "transposed", "grouped", "depthwise"),
    *("nested", "residual", "gate", "branch", "growth"),
]
STEPS = st.one_of(
    *(st.tuples(st.just(kind), CONVOLUTION, NORMED) for kind in KINDS),
    *(st.tuples(st.just(kind), POOLING) for kind in ("maximum", "average")),
)
TAILS = st.tuples(
    st.sampled_from([layers.Flatten, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D]),
    st.lists(st.tuples(st.integers(1, 5), ACTIVATIONS, NORMED), max_size=2),
    st.sampled_from([None, "softmax"]),
)


@dataclass
class Growing:
    """A network that grows step by step.

    Args:
        gone: Channels to multiply by zero, by the layer that makes them.
        owner: The layer whose channels are still each for themselves in the last tensor.
        layers: How many layers of a kind there are.
    """

    gone: dict[str, list[int]] = field(default_factory=dict)
    owner: str = ""
    count: int = 0

    def name(self, kind):
        self.count += 1
        return f"{kind}_{self.count}"

    def settled(self, tensor):
        """Return the tensor in which the channels of its owner that are gone are zero."""
        if gone := self.gone.get(self.owner):
            alive = np.ones(tensor.shape[-1])
            alive[gone] = 0
            tensor = layers.Rescaling(alive.tolist())(tensor)
        self.owner = ""
        return tensor

    def made(self, kind, tensor, normed, make, **options):
        """Return what a new layer makes of a tensor of which nothing else will be made."""
        name = self.name(kind)
        tensor = make(**options, name=name)(self.settled(tensor))
        self.owner = name
        return self.followed(tensor, normed)

    def followed(self, tensor, normed):
        if not normed:
            return tensor
        tensor = layers.ReLU()(layers.BatchNormalization(name=self.name("norm"))(tensor))
        return layers.Dropout(0.5)(tensor)

    def step(self, tensor, kind, options, *normed):
        return getattr(self, kind)(tensor, *normed, **fitting(options, tensor))

    def convolution(self, tensor, normed, **options):
        return self.made("conv", tensor, normed, layers.Conv2D, **options)

    def dilated(self, tensor, normed, **options):
        options |= {"strides": 1, "padding": "same", "dilation_rate": (2, 1)}
        return self.made("conv", tensor, normed, layers.Conv2D, **options)

    def separable(self, tensor, normed, **options):
        return self.made("separable", tensor, normed, layers.SeparableConv2D, **options)

    def transposed(self, tensor, normed, **options):
        return self.made("transposed", tensor, normed, layers.Conv2DTranspose, **options)

    def grouped(self, tensor, normed, **options):
        options |= {"filters": 2 * tensor.shape[-1], "groups": tensor.shape[-1]}
        return self.made("conv", tensor, normed, layers.Conv2D, **options)

    def depthwise(self, tensor, normed, filters, **options):
        name = self.name("depthwise")
        return self.followed(layers.DepthwiseConv2D(**options, name=name)(tensor), normed)

    def nested(self, tensor, normed, **options):
        tensor = self.settled(tensor)
        entry = keras.Input(tensor.shape[1:])
        inner = self.convolution(entry, normed, **options)
        return keras.Model(entry, inner, name=self.name("nested"))(tensor)

    def residual(self, tensor, normed, **options):
        options |= {"filters": tensor.shape[-1], "strides": 1, "padding": "same"}
        tensor = self.settled(tensor)
        return layers.Add()([tensor, self.settled(self.convolution(tensor, normed, **options))])

    def gate(self, tensor, normed, **options):
        options |= {"filters": tensor.shape[-1], "kernel_size": 1, "strides": 1}
        tensor = self.settled(tensor)
        means = layers.GlobalAveragePooling2D(keepdims=True)(tensor)
        return layers.Multiply()([tensor, self.settled(self.convolution(means, normed, **options))])

    def branch(self, tensor, normed, **options):
        tensor = self.settled(tensor)
        parts = [self.settled(self.convolution(tensor, normed, **options)) for _ in range(2)]
        return layers.Concatenate()(parts)

    def growth(self, tensor, normed, **options):
        options |= {"strides": 1, "padding": "same"}
        tensor = self.settled(tensor)
        more = self.settled(self.convolution(tensor, normed, **options))
        return layers.Concatenate()([tensor, more])

    def maximum(self, tensor, **options):
        return layers.MaxPooling2D(**options)(tensor)

    def average(self, tensor, **options):
        return layers.AveragePooling2D(**options)(tensor)

    def tail(self, tensor, end, hidden, activation):
        tensor = end()(self.settled(tensor) if end is layers.Flatten else tensor)
        for units, function, normed in hidden:
            options = {"units": units, "activation": function}
            tensor = self.made("dense", tensor, normed, layers.Dense, **options)
        return layers.Dense(3, activation, name="scores")(self.settled(tensor))


def fitting(options, tensor):
    """Return the options with padding where the map is smaller than what moves over it."""
    size = options.get("kernel_size") or options["pool_size"]
    small = any(own > length for own, length in zip(size, tensor.shape[1:3], strict=True))
    return {**options, "padding": "same"} if small else dict(options)


def grown(steps, tail, gone=None):
    network, entry = Growing(gone or {}), keras.Input(IMAGES.shape[1:])
    tensor = entry
    for step in steps:
        tensor = network.step(tensor, *step)
    return keras.Model(entry, network.tail(tensor, *tail))


def prunable(model):
    """Return the names of the layers that can be pruned."""
    flat = surgery.flatten(surgery.copy_model(model))
    found = []
    for layer in flat.layers:
        if isinstance(layer, MAKERS):
            try:
                found.append(find_site(flat, layer.name).layer.name)
            except ModelError as error:
                known = {"UnsupportedTopology", "LayerNotFound", "NothingToPrune"}
                assert error.code in known  # noqa: PT017
    return found


def multiplied_by_zero(model, steps, tail, gone):
    """Return the outputs of the network grown anew with channels multiplied by zero."""
    reference = grown(steps, tail, gone)
    for layer in model.layers:
        if layer.weights:
            reference.get_layer(layer.name).set_weights(layer.get_weights())
    return reference(IMAGES).numpy()


@pytest.mark.slow
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(data=st.data(), steps=st.lists(STEPS, min_size=1, max_size=4), tail=TAILS)
def test_any_channels_of_any_layers_of_any_network_fall_silent_alike_in_every_way(
    data, steps, tail
):
    model = fill(grown(steps, tail))
    names = prunable(model)
    if not names:
        return
    chosen = data.draw(st.sets(st.sampled_from(names), min_size=1, max_size=3))
    pruner = ChannelPruner(model, sorted(chosen))
    gone = data.draw(st.lists(st.sets(st.integers(0, pruner.channels - 1)), min_size=1, max_size=6))
    if data.draw(st.booleans()):
        gone = list(accumulate(gone, set.union))
    outputs = outputs_of_sweep(pruner, gone)
    tolerance = 1e-5 * max(np.abs(outputs).max(), np.abs(model(IMAGES)).max())
    for level, channels in enumerate(gone):
        pruned, _ = pruner.apply(sorted(channels))
        by_layer = pruner.by_layer(sorted(channels))
        expected = multiplied_by_zero(model, steps, tail, by_layer)
        slim = slimmed(pruned, by_layer)
        for found in (outputs[level], pruned(IMAGES), slim.model(IMAGES)):
            np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
        if not MEETING & {kind for kind, *_ in steps}:
            assert slim.refused == {}


def outputs_of_sweep(pruner, gone):
    """Return what the cached activations make of every set of channels that are gone."""
    alive = np.ones((len(gone), pruner.channels), np.float32)
    for level, channels in enumerate(gone):
        alive[level, list(channels)] = 0
    ends = np.cumsum([site.channels for site in pruner.sites])
    masks = np.split(alive, ends[:-1], axis=1)
    values = pruner._sweep.before(IMAGES)
    outputs = pruner._sweep.outputs(values, masks)
    np.testing.assert_array_equal(pruner._sweep.answers(values, masks), outputs.argmax(axis=-1))
    return outputs
