"""Write model files as Keras 2 wrote them: JSON and arrays, put into HDF5 by hand."""

from __future__ import annotations

import json

import h5py
import keras
import numpy as np

from badrepair.models.load import load_model

GLOROT = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
}
ZEROS = {"class_name": "Zeros", "config": {}}
SIDE = 8
SHAPE = [None, SIDE, SIDE, 1]


def entry(class_name, name, **config):
    """A layer as a Sequential lists it."""
    return {"class_name": class_name, "config": {"name": name, "trainable": True, **config}}


def conv(name, filters, size=3, activation="relu", **more):
    return entry(
        "Conv2D",
        name,
        filters=filters,
        kernel_size=[size, size],
        strides=[1, 1],
        padding="valid",
        data_format="channels_last",
        dilation_rate=[1, 1],
        activation=activation,
        use_bias=True,
        kernel_initializer=GLOROT,
        bias_initializer=ZEROS,
        kernel_regularizer=None,
        bias_constraint=None,
        **more,
    )


def dense(name, units, activation="softmax", **more):
    return entry(
        "Dense",
        name,
        units=units,
        activation=activation,
        use_bias=True,
        kernel_initializer=GLOROT,
        bias_initializer=ZEROS,
        activity_regularizer=None,
        **more,
    )


def flatten(name="flatten_1"):
    return entry("Flatten", name, data_format="channels_last")


def input_layer(name="input_1", shape=(None, SIDE, SIDE, 1)):
    config = {"batch_input_shape": list(shape), "dtype": "float32", "sparse": False, "name": name}
    return {"class_name": "InputLayer", "config": config}


def sequential(*layers, as_list=False):
    config = list(layers) if as_list else {"name": "sequential_1", "layers": list(layers)}
    return {"class_name": "Sequential", "config": config}


def node(*sources, **arguments):
    """One call of a layer on the outputs of others, given as names or (name, call)."""
    pairs = [(source, 0) if isinstance(source, str) else source for source in sources]
    return [[name, call, 0, arguments] for name, call in pairs]


def functional(layers, output, *, inputs="input_1", class_name="Model", name="model_1"):
    """A graph; `layers` are (entry, node, node...)."""
    listed = [
        {**layer, "name": layer["config"]["name"], "inbound_nodes": list(nodes)}
        for layer, *nodes in layers
    ]
    first, last = (
        [end, 0, 0] if isinstance(end, str) else [end[0], end[1], 0] for end in (inputs, output)
    )
    config = {"name": name, "layers": listed, "input_layers": [first], "output_layers": [last]}
    return {"class_name": class_name, "config": config}


def arrays(**shapes):
    """Reproducible small weights by layer: {"conv": {"kernel": ..., "bias": ...}}."""
    random = np.random.default_rng(7)
    return {
        layer: {
            weight: random.normal(scale=0.3, size=shape).astype(np.float32)
            for weight, shape in weights.items()
        }
        for layer, weights in shapes.items()
    }


def kernel_and_bias(*kernel):
    return {"kernel": kernel, "bias": kernel[-1:]}


def write_weights(group, weights, *, text=bytes, chunk=None, keys=None):
    """Store weights in the old layout.

    text: how names are stored, bytes or str; chunk: names an attribute holds at most;
    keys: the names to store a layer's weights under, if not `layer/weight:0`.
    """
    _store_names(group, "layer_names", list(weights), text, chunk)
    group.attrs["backend"] = b"tensorflow"
    group.attrs["keras_version"] = b"2.2.4"
    for layer, own in weights.items():
        names = [(keys or {}).get((layer, weight), f"{layer}/{weight}:0") for weight in own]
        place = group.create_group(layer)
        _store_names(place, "weight_names", names, text, chunk)
        for name, array in zip(names, own.values(), strict=True):
            place[name] = array


def _store_names(group, attribute, names, text, chunk):
    stored = names if text is str else np.array([name.encode() for name in names], dtype="S")
    if chunk is None or not names:
        group.attrs[attribute] = stored
        return
    for index, start in enumerate(range(0, len(names), chunk)):
        group.attrs[f"{attribute}{index}"] = stored[start : start + chunk]


def write_whole(path, config, weights, *, text=bytes, training=None, version="2.2.4", **more):
    with h5py.File(path, "w") as file:
        document = json.dumps(config)
        file.attrs["model_config"] = document.encode() if text is bytes else document
        file.attrs["keras_version"] = version.encode() if text is bytes else version
        if training is not None:
            file.attrs["training_config"] = json.dumps(training).encode()
        write_weights(file.create_group("model_weights"), weights, text=text, **more)
    return path


def write_weights_only(path, weights, **more):
    with h5py.File(path, "w") as file:
        write_weights(file, weights, **more)
    return path


def fill(model, weights):
    """Give a hand-built Keras 3 network the same arrays; layers are looked up by name."""
    for layer, own in weights.items():
        model.get_layer(layer).set_weights(list(own.values()))
    return model


def answers(model, side=SIDE, channels=1):
    images = np.random.default_rng(3).random((5, side, side, channels), dtype=np.float32)
    return keras.ops.convert_to_numpy(model(images, training=False))


def small_weights():
    """Of `small_config`: 8x8x1 -> conv 6x6x2 -> 72 -> 3 classes."""
    return arrays(conv_1=kernel_and_bias(3, 3, 1, 2), dense_1=kernel_and_bias(72, 3))


def small_config():
    shape = [None, SIDE, SIDE, 1]
    first = conv("conv_1", 2, batch_input_shape=shape, dtype="float32")
    return sequential(first, flatten(), dense("dense_1", 3))


def small_model():
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            keras.layers.Conv2D(2, 3, activation="relu", name="conv_1"),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax", name="dense_1"),
        ]
    )


def assert_same(path, model, weights, **options):
    """Load a file and compare its answers with those of a network filled by hand."""
    loaded = load_model(path, **options)
    np.testing.assert_allclose(answers(loaded), answers(fill(model, weights)), atol=1e-6)
    assert loaded.built
    assert not loaded.compiled
    return loaded
