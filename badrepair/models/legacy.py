"""Bring the description of a network, from whatever Keras, into the form that Keras 3 builds.

Keras 1 and 2 named shapes, types and graph edges otherwise and stored keys that Keras 3 no
longer knows. The result holds only the modules written here, none that the file named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from badrepair.errors import ModelError
from badrepair.models.gate.allowed import (
    BLOCKS,
    LAYERS,
    MODELS,
    OPERATION_MODULE,
    OPERATIONS,
    is_known,
)
from badrepair.models.legacy_graph import Calls, input_layer
from badrepair.models.legacy_values import (
    RENAMED_STRINGS,
    SMALL_OBJECTS,
    described,
    home,
    is_silent,
    normalization,
    parameters,
    small_object,
    type_name,
)
from badrepair.models.weights import plain_name
from badrepair.words import printable

if TYPE_CHECKING:
    from pathlib import Path

    from badrepair.models.legacy_values import Entry

RENAMED_CLASSES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
}
RENAMED_KEYS = {("LeakyReLU", "alpha"): "negative_slope"}
SHAPE_KEYS = ("batch_input_shape", "batch_shape", "input_shape")
NO_SHAPE = "it does not say the shape of its input"
# Keys that Keras 3 has dropped and that say nothing about what a network computes.
SILENT_KEYS = frozenset(
    {*SHAPE_KEYS, "input_dtype", "fused", "virtual_batch_size", "renorm_momentum"}
)
# What the same name computed otherwise before Keras 3.
CHANGED_ACTIVATIONS = frozenset({"hard_sigmoid"})


def modern(config: Any, path: Path, version: str = "", *, trusted: bool = False) -> Entry:
    """Return the description of a network as Keras 3 takes it.

    Args:
        config: What the file says, already allowed; Any, since it is parsed JSON.
        path: The file to name in errors.
        version: The Keras that wrote the file, empty if unknown.
        trusted: Whether classes that are not known stay as the file has them.

    Raises:
        ModelError: UnsupportedTopology or ConfigInvalid, naming the layer.
    """
    if isinstance(config, list):
        config = {"class_name": "Sequential", "config": config}
    is_network = isinstance(config, dict) and config.get("class_name") in MODELS
    if not (is_network or trusted):
        raise ModelError("ConfigInvalid", path, "the config describes no Sequential or Functional")
    try:
        return _Converter(path, version, trusted).layer(config)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        problem = f"the config is broken: {type(error).__name__} {error}"
        raise ModelError("ConfigInvalid", path, printable(problem)[:200]) from error


@dataclass(frozen=True)
class _Converter:
    path: Path
    version: str
    trusted: bool

    def network(self, entry: Entry) -> Entry:
        if entry["class_name"] == "Sequential":
            return self._sequential(entry)
        return self._functional(entry)

    def _sequential(self, entry: Entry) -> Entry:
        config = entry["config"]
        if isinstance(config, list):
            config = {"layers": config}
        name = plain_name(config.get("name") or "sequential")
        layers = [self.layer(layer) for layer in config["layers"]]
        if layers[0]["class_name"] != "InputLayer":
            shape = entry_shape(config["layers"][0]) or config.get("build_input_shape")
            if shape is None:
                raise self._unsupported(name, NO_SHAPE)
            first = {"batch_shape": shape, "name": f"{layers[0]['config']['name']}_input"}
            layers.insert(0, described("keras.layers", "InputLayer", first))
        inside = {"name": name, "layers": layers}
        # Under this name, which Keras 3 itself writes, `building` has it built in one go.
        return {**described("keras", "Sequential", inside), "registered_name": "Sequential"}

    def _functional(self, entry: Entry) -> Entry:
        config = entry["config"]
        calls = Calls.of(config)
        layers = []
        for layer in config["layers"]:
            name = plain_name(layer.get("name") or layer["config"]["name"])
            nodes = self._nodes(layer, name, calls)
            layers.append({**self.layer(layer), "name": name, "inbound_nodes": nodes})
        inside = {
            "name": plain_name(config.get("name") or "model"),
            "trainable": config.get("trainable", True),
            "layers": layers,
            "input_layers": calls.ends(config["input_layers"]),
            "output_layers": calls.ends(config["output_layers"]),
        }
        return described("keras.src.models.functional", "Functional", inside)

    def _nodes(self, layer: Entry, name: str, calls: Calls) -> list[Any]:
        try:
            return calls.nodes(layer.get("inbound_nodes") or [])
        except ValueError as error:
            raise self._unsupported(name, str(error)) from error

    def layer(self, entry: Entry) -> Entry:
        """Return a layer's description without its name and edges in the graph."""
        if self.trusted and not is_known(entry, ""):
            return self._foreign(entry)
        written = str(entry["class_name"])
        name = RENAMED_CLASSES.get(written, written)
        if name in MODELS:
            return self.network(entry)
        if name == "InputLayer":
            return described("keras.layers", name, self._input(entry["config"]))
        if _is_operation(entry):
            return described(OPERATION_MODULE, name, entry["config"])
        if name in BLOCKS:
            return described(BLOCKS[name], name, entry["config"])
        return described("keras.layers", name, self._config(entry["config"], name))

    def _foreign(self, entry: Entry) -> Entry:
        """Return what trust lets through as it is, but for what is known inside it."""
        parts = {key: self._known_inside(entry[key], key) for key in ("config",) if key in entry}
        return {**home(entry), **entry, **parts}

    def _known_inside(self, value: Any, key: str) -> Any:
        if isinstance(value, list):
            return [self._known_inside(item, key) for item in value]
        if not isinstance(value, dict):
            return value
        if "class_name" in value:
            return self._object(key, value)
        return {name: self._known_inside(item, name) for name, item in value.items()}

    def _object(self, key: str, value: Entry) -> Any:
        """Return what a layer is made with: another layer, an initializer and its kin, a type."""
        if self.trusted and not is_known(value, key):
            return self._foreign(value)
        if key.endswith("dtype"):
            return type_name(value)
        kind = next((SMALL_OBJECTS[end] for end in SMALL_OBJECTS if key.endswith(end)), None)
        return self.layer(value) if kind is None else small_object(value, kind)

    def _input(self, config: Entry) -> Entry:
        name = plain_name(config["name"])
        unusual = [key for key in ("sparse", "ragged", "optional") if config.get(key)]
        if unusual:
            raise self._unsupported(name, f"its input is {unusual[0]}")
        shape = next((config[key] for key in SHAPE_KEYS if config.get(key)), None)
        if shape is None:
            raise self._unsupported(name, NO_SHAPE)
        return {"name": name, "batch_shape": shape, "dtype": type_name(config.get("dtype"))}

    def _config(self, config: Entry, name: str) -> Entry:
        label = plain_name(config.get("name") or name)
        if name == "Normalization":
            config = self._normalization(config, label)
        accepted = parameters(getattr(keras.layers, name))
        result = {}
        for old, value in config.items():
            key = RENAMED_KEYS.get((name, old), old)
            if key in accepted:
                result[key] = self._value(key, value, label)
            elif key not in SILENT_KEYS and not is_silent(value):
                raise self._unsupported(label, f"{key}={value} means nothing to Keras 3")
        return result

    def _normalization(self, config: Entry, label: str) -> Entry:
        try:
            return normalization(config)
        except ValueError as error:
            raise self._unsupported(label, str(error)) from error

    def _value(self, key: str, value: Any, label: str) -> Any:
        if key == "name":
            return plain_name(value)
        if isinstance(value, dict) and "class_name" in value:
            return self._object(key, value)
        if key == "dtype":
            return type_name(value)
        if key == "axis" and isinstance(value, list) and len(value) == 1:
            return value[0]
        if isinstance(value, str):
            return self._text(key, value, label)
        return value

    def _text(self, key: str, value: str, label: str) -> str:
        if key == "activation" and value in CHANGED_ACTIVATIONS and self.version.startswith("2"):
            problem = f"{value} of Keras {self.version} is another function in Keras 3"
            raise self._unsupported(label, problem)
        return RENAMED_STRINGS.get((key, value), value)

    def _unsupported(self, layer: str, problem: str) -> ModelError:
        shown = printable(f"layer {layer}: {problem}")[:400]
        return ModelError("UnsupportedTopology", self.path, shown)


def entry_shape(entry: Entry) -> list[int | None] | None:
    """Return the shape (batch, ...) that a layer's description gives for its input, if any."""
    config = entry["config"]
    if isinstance(config, list):
        return entry_shape(config[0])
    if "layers" not in config:
        return next((config[key] for key in SHAPE_KEYS[:2] if config.get(key)), None)
    if "input_layers" not in config:
        return entry_shape(config["layers"][0]) or config.get("build_input_shape")
    first = input_layer(config)
    layers = (layer for layer in config["layers"] if layer.get("name") == first)
    return next((entry_shape(layer) for layer in layers), None)


def _is_operation(entry: Entry) -> bool:
    """Tell NumPy-like operations from the layers of the same name, which take one list."""
    if "module" in entry:
        return bool(entry["module"] == OPERATION_MODULE)
    nodes = entry.get("inbound_nodes") or [{}]
    arguments = nodes[0].get("args", ()) if isinstance(nodes[0], dict) else ()
    return entry["class_name"] in OPERATIONS and (
        entry["class_name"] not in LAYERS or len(arguments) > 1 or "newshape" in entry["config"]
    )
