"""Files as Keras 2 wrote them, where a Lambda is a list and a class has no module."""

from __future__ import annotations

import json

import numpy as np
from descriptions import CODE, GADGET, LAYER, TOPOLOGY, bytecode
from honest import as_bytes
from old_keras import (
    conv,
    dense,
    entry,
    flatten,
    functional,
    input_layer,
    node,
    sequential,
    small_config,
    small_weights,
    write_weights_only,
    write_whole,
)
from timing import Built


def with_layer(bad):
    first = small_config()["config"]["layers"][:2]
    return sequential(*first, bad, dense("dense_1", 3))


def whole(config, weights=small_weights, **options):
    return lambda folder: write_whole(folder / "model.h5", config, weights(), **options)


def text(config):
    return lambda folder: as_bytes(folder, "model.json", json.dumps(config).encode())


def coded(name="evil"):
    return entry("Lambda", name, function=[bytecode(), None, None], function_type="lambda")


def graph_with(bad, **arguments):
    """Return a graph in which a layer that nothing reads is called with arguments."""
    return functional(
        [
            (input_layer(),),
            (conv("conv_1", 2), node("input_1")),
            (bad, node("input_1", **arguments)),
            (flatten(), node("conv_1")),
            (dense("dense_1", 3), node("flatten_1")),
        ],
        "dense_1",
    )


def channels_first():
    config = small_config()
    config["config"]["layers"][0]["config"]["data_format"] = "channels_first"
    return config


def nan_weights():
    weights = small_weights()
    weights["dense_1"]["kernel"][0, 0] = np.nan
    return weights


def endless():
    weights = small_weights()
    weights["dense_1"]["bias"][2] = np.inf
    return weights


FILES = {
    "old lambda": (whole(with_layer(coded())), CODE),
    "old lambda as JSON": (text(with_layer(coded())), CODE),
    "old lambda by name": (
        whole(with_layer(entry("Lambda", "evil", function="system", module="os"))),
        CODE,
    ),
    "old lambda in a nested model": (
        whole(with_layer({**sequential(coded()), "name": "inner"})),
        CODE,
    ),
    "old lambda that nothing reads": (whole(graph_with(coded())), CODE),
    "old lambda in a wrapper": (
        whole(with_layer(entry("TimeDistributed", "evil", layer=coded()))),
        CODE,
    ),
    "old custom class": (whole(with_layer(entry("Capsule", "evil"))), LAYER),
    "old custom class as JSON": (text(with_layer(entry("Capsule", "evil"))), LAYER),
    "old lookup of a file": (
        whole(with_layer(entry("StringLookup", "evil", vocabulary="/etc/passwd"))),
        LAYER,
    ),
    "old TensorFlow operation": (
        whole(graph_with(entry("TFOpLambda", "evil", function="io.write_file"))),
        TOPOLOGY,
    ),
    "old call with an argument": (whole(graph_with(flatten("evil"), n=5)), Built(TOPOLOGY)),
    "old call with a function": (whole(graph_with(flatten("evil"), mask=GADGET)), CODE),
    "old activation by name": (
        whole(with_layer(dense("evil", 3, "my_relu"))),
        "ActivationNotAllowed",
    ),
    "old training with a gadget": (
        whole(small_config(), training={"loss": GADGET}),
        "CodeInTraining",
    ),
    "old channels first": (whole(channels_first()), TOPOLOGY),
    "old weights that are no numbers": (whole(small_config(), nan_weights), "WeightsNotFinite"),
    "old weights without end": (whole(small_config(), endless), "WeightsNotFinite"),
    "old weights that are too few": (
        whole(small_config(), lambda: {"conv_1": small_weights()["conv_1"]}),
        Built("WeightsMismatch"),
    ),
    "old weights alone, that fit nothing": (
        lambda folder: write_weights_only(folder / "model.h5", small_weights()),
        Built("ConfigMissing"),
    ),
}
