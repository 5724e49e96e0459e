"""Descriptions that are harmless by their classes, but not by their names, sizes and numbers."""

from __future__ import annotations

from descriptions import (
    H5,
    KERAS,
    TOPOLOGY,
    beside,
    described,
    files,
    instead,
    layer,
    nested,
    saying,
    setting,
)
from honest import changed
from timing import Built

NAME, SIZE, MISFIT = "BadName", "LimitExceeded", "WeightsMismatch"
NONSENSE = Built("ConfigInvalid")


def renamed(name):
    return setting("name", name)


def of_size(shape):
    return setting("batch_shape", [None, *shape], "image")


def many_layers(config):
    more = [described("Flatten") for _ in range(2_001)]
    config["config"]["layers"] += [{**one, "inbound_nodes": [], "name": "more"} for one in more]


def many_calls(config):
    """Call one layer again and again: a few bytes each, a graph node each."""
    dense = layer(config, "flatten_1")
    dense["inbound_nodes"] *= 20_000


def calls_of_calls(config):
    """Nest models of which each calls the next ten times: nine deep that is 10^9 layers."""
    inner = described("Identity", dtype="float32")
    for level in range(8):
        inner = ten_calls(inner, level)
    inner["inbound_nodes"] = [edge("conv_1")]
    config["config"]["layers"].insert(2, inner)
    layer(config, "flatten_1")["inbound_nodes"] = [edge(inner["name"])]


def idle(name, count):
    """Return a Sequential of layers that do nothing."""
    first = described("InputLayer", batch_shape=[None, 6, 6, 2], dtype="float32")
    listed = [first, *(described("Identity", dtype="float32") for _ in range(count))]
    for number, one in enumerate(listed):
        one["config"]["name"] = f"{name}_{number}"
    return {**described("Sequential", "keras", layers=listed), "name": name}


def long_sequentials(config):
    """Put four Sequentials into one: Keras builds each anew after every layer that it adds."""
    chains = [idle(f"chain_{number}", 390) for number in range(4)]
    for chain in chains:
        chain["config"]["name"] = chain["name"]
    places = [layer(config, name) for name in ("image", "conv_1", "flatten_1", "dense_1")]
    whole = described("Sequential", "keras", layers=[*places[:2], *chains, *places[2:]])
    whole["config"]["name"] = "long"
    return whole


def calls_of_a_sequential(config):
    """Call a Sequential of a hundred layers again and again: nothing says that its layers run."""
    chain = {**idle("chain", 100), "inbound_nodes": [edge("conv_1")] * 200}
    config["config"]["layers"].insert(2, chain)
    layer(config, "flatten_1")["inbound_nodes"] = [edge("chain", 199)]


def edge(source, call=0):
    history = {"shape": [None, 6, 6, 2], "dtype": "float32", "keras_history": [source, call, 0]}
    return {"args": [{"class_name": "__keras_tensor__", "config": history}], "kwargs": {}}


def ten_calls(inner, level):
    """Return a model that calls a layer on its input ten times."""
    first = described("InputLayer", batch_shape=[None, 6, 6, 2], dtype="float32")
    first["config"]["name"] = start = f"start_{level}"
    name = inner["config"]["name"]
    nodes = [edge(start), *(edge(name, call) for call in range(9))]
    called = {**inner, "name": name, "inbound_nodes": nodes}
    config = {
        "name": f"level_{level}",
        "trainable": True,
        "layers": [{**first, "name": start, "inbound_nodes": []}, called],
        "input_layers": [[start, 0, 0]],
        "output_layers": [[name, 9, 0]],
    }
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": config,
        "registered_name": "Functional",
        "name": config["name"],
    }


def normalized(config):
    """Normalise with one number for every pixel of a vast image."""
    of_size([12_000, 12_000, 1])(config)
    vast = described("Normalization", axis=[1, 2, 3], mean=0.5, variance=1.0)
    vast = {**vast, "name": "evil", "inbound_nodes": layer(config, "conv_1")["inbound_nodes"]}
    config["config"]["layers"].insert(1, vast)


def seeded(config):
    """Drop half of what goes into the last layer, by a seed that is no number."""
    noise = {**described("Dropout", rate=0.5, seed=True), "name": "evil"}
    noise["config"]["name"], noise["inbound_nodes"] = "evil", [edge("flatten_1")]
    config["config"]["layers"].insert(-1, noise)
    layer(config, "dense_1")["inbound_nodes"] = [edge("evil")]


def long_paths(config):
    """Say twenty thousand things that are unknown, each of them behind long keys."""
    value = {"activation": ["evil"] * 20_000}
    for number in range(28):
        value = {f"k{number}".ljust(4096, "x"): value}
    layer(config, "conv_1")["config"]["more"] = value


# By name: what is changed, the code of the refusal, and the formats.
DESCRIPTIONS = {
    "name that goes up": (renamed(".."), NAME, H5),
    "name that leaves its folder": (renamed("../../etc/cron.d/evil"), NAME, H5),
    "name that colours the terminal": (renamed("\x1b[31mgood"), NAME, H5),
    "name of two lines": (renamed("good\nerror[Fine] none"), NAME, H5),
    "name written from right to left": (renamed("good\u202elive"), NAME, H5),
    "name with a null": (renamed("good\x00.h5"), NAME, KERAS),
    "name that is half a character": (renamed("\ud800"), NAME, KERAS),
    "name without end": (renamed("n" * 300), NAME, H5),
    "name that is empty": (renamed(""), NAME, KERAS),
    "name that is a number": (renamed(5), NONSENSE, KERAS),
    "class that colours the terminal": (
        saying("class_name", "\x1b[31mDense\n"),
        *("LayerNotAllowed", H5),
    ),
    "channels first": (setting("data_format", "channels_first", "conv_1"), TOPOLOGY, H5),
    "bare TensorFlow operation": (
        instead(described("TFOpLambda", function="math.add")),
        *(TOPOLOGY, H5),
    ),
    "slicing operation": (instead(described("SlicingOpLambda", function="slice")), TOPOLOGY, H5),
    "a billion units": (setting("units", 10**9), SIZE, H5),
    "units for half a GiB": (setting("units", 1_850_000), MISFIT, H5),
    "units beyond 64 bits": (setting("units", 2**70), SIZE, KERAS),
    "units below zero": (setting("units", -3), NONSENSE, KERAS),
    "units as text": (setting("units", "3"), NONSENSE, KERAS),
    "units as a list": (setting("units", [3]), NONSENSE, KERAS),
    "vast kernel": (setting("kernel_size", [2**20, 2**20], "conv_1"), NONSENSE, H5),
    "vast rank of a side path": (setting("lora_rank", 10**9), SIZE, KERAS),
    "vast embedding": (
        beside(described("Embedding", input_dim=10**9, output_dim=64)),
        *(SIZE, KERAS),
    ),
    "vast padding": (instead(described("ZeroPadding2D", padding=10**6), "conv_1"), SIZE, H5),
    "vast enlargement": (instead(described("UpSampling2D", size=10**5), "conv_1"), SIZE, H5),
    "vast resizing": (
        instead(described("Resizing", height=10**6, width=10**6), "conv_1"),
        *(SIZE, KERAS),
    ),
    "vast image": (of_size([10**9, 10**9, 1]), SIZE, H5),
    "vast normalisation": (normalized, SIZE, KERAS),
    "image without channels": (of_size([8, 8, 0]), Built(MISFIT), KERAS),
    "over two thousand layers": (many_layers, SIZE, KERAS),
    "forty models deep": (nested(described("Identity"), 40), SIZE, H5),
    "faults behind paths without end": (long_paths, "ActivationNotAllowed", KERAS),
    "seed that is true": (seeded, NONSENSE, KERAS),
    "mean of four hundred digits": (
        instead(described("Normalization", axis=-1, mean=[10**400] * 2, variance=[1.0] * 2)),
        *(SIZE, KERAS),
    ),
    "twenty thousand calls": (many_calls, SIZE, H5),
    "calls of calls of calls": (calls_of_calls, SIZE, H5),
    "calls of a Sequential": (calls_of_a_sequential, SIZE, H5),
    "long Sequentials": (long_sequentials, "", ("keras",)),
    "vast steps": (setting("strides", [100_000, 100_000], "conv_1"), SIZE, KERAS),
    "vast gaps": (setting("dilation_rate", 100_000, "conv_1"), SIZE, H5),
    "vast steps between what is made": (
        instead(described("Conv1DTranspose", filters=2, kernel_size=1, strides=[100_000])),
        *(SIZE, KERAS),
    ),
    "vast pool": (
        instead(described("MaxPooling2D", pool_size=2**27, padding="same"), "conv_1"),
        *(SIZE, H5),
    ),
    "initializer that fits no kernel": (
        setting("kernel_initializer", described("Identity", "keras.initializers"), "conv_1"),
        *("", H5),
    ),
    "output that is not there": (
        lambda config: config["config"].update(output_layers=[["none", 0, 0]]),
        *(NONSENSE, H5),
    ),
    "call of a layer that is not there": (
        lambda config: layer(config, "flatten_1").update(inbound_nodes=[edge("none")]),
        *(NONSENSE, KERAS),
    ),
    "layer behind itself": (
        lambda config: layer(config, "flatten_1").update(inbound_nodes=[edge("dense_1")]),
        *(NONSENSE, KERAS),
    ),
}
FILES = files(DESCRIPTIONS, changed)
