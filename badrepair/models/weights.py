"""Weights in the layout that Keras 1 and 2 wrote, and every whole `.h5` still has.

A group a layer, named in the attribute `layer_names`; in it the arrays that `weight_names`
lists, the trainable ones first. A nested model is one such layer with all its arrays in a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from badrepair.errors import ModelError
from badrepair.models import hdf5

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import h5py
    import keras

    from badrepair.views import Array

Shapes = tuple[tuple[int, ...], ...]
# State of random number generators, which Keras 2 stored among the weights.
NO_WEIGHT = ("StateVar",)
MISFIT_HINT = "check that the weights belong to this network, or name the network with --arch"


class Stored(Protocol):
    """The weights of a file, whatever their layout."""

    def shapes(self) -> Mapping[str, Shapes]:
        """Return the shapes of every layer's weights, in the file's order."""

    def assign(self, model: keras.Model) -> None:
        """Give the weights to a built network, or raise ModelError and leave it as it was."""


@dataclass(frozen=True)
class StoredLayer:
    """One layer's arrays.

    Args:
        name: The layer's name as Keras 3 would have it, without slashes.
        keys: For every array (layer, weight), such as ("conv_1", "kernel").
        arrays: In the order of the file.
    """

    name: str
    keys: tuple[tuple[str, str], ...]
    arrays: tuple[Array, ...]

    @property
    def shapes(self) -> Shapes:
        """Return the shape of every array."""
        return tuple(array.shape for array in self.arrays)


@dataclass(frozen=True)
class LegacyWeights:
    """The layers of a file that have weights, in the file's order."""

    path: Path
    layers: tuple[StoredLayer, ...]

    def shapes(self) -> dict[str, Shapes]:
        """Return the shapes of every layer's weights, in the file's order."""
        return {layer.name: layer.shapes for layer in self.layers}

    def assign(self, model: keras.Model) -> None:
        """Give the weights to a built network, or raise ModelError and leave it as it was.

        Layers are paired by name; in the order of the network where the names differ.
        """
        wanted = {layer.name: found for layer in model.layers if (found := slots(layer))}
        stored = {layer.name: layer for layer in self.layers}
        if set(stored) != set(wanted):
            stored = dict(zip(wanted, self._in_order(wanted), strict=True))
        pairs = [
            pair for name, found in wanted.items() for pair in self._pair(name, found, stored[name])
        ]
        for variable, array in pairs:
            variable.assign(array)
        finalize(model)

    def _in_order(self, wanted: Mapping[str, Sequence[Slot]]) -> tuple[StoredLayer, ...]:
        expected = {name: tuple(slot.shape for slot in found) for name, found in wanted.items()}
        if [layer.shapes for layer in self.layers] != list(expected.values()):
            raise misfit(self.path, expected, self.shapes())
        return self.layers

    def _pair(
        self, name: str, found: Sequence[Slot], layer: StoredLayer
    ) -> list[tuple[Any, Array]]:
        by_key = {slot.key: slot for slot in found}
        if len(by_key) == len(found) and set(by_key) == set(layer.keys):
            found = [by_key[key] for key in layer.keys]
        expected = tuple(slot.shape for slot in found)
        if expected != layer.shapes:
            raise misfit(self.path, {name: expected}, {name: layer.shapes})
        return [(slot.variable, array) for slot, array in zip(found, layer.arrays, strict=True)]


@dataclass(frozen=True)
class Slot:
    """A place of a network that a stored array can fill."""

    key: tuple[str, str]
    variable: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape that the array must have."""
        return tuple(self.variable.shape)


def slots(layer: Any) -> list[Slot]:
    """Return a layer's weights in the old order: the trainable ones first."""
    owners = {id(weight): leaf.name for leaf in leaves(layer) for weight in leaf.weights}
    return [
        Slot((owners[id(weight)], weight.name), weight)
        for weight in (*layer.trainable_weights, *layer.non_trainable_weights)
    ]


def leaves(layer: Any) -> Iterator[Any]:
    """Yield the layers inside a model that are no models themselves."""
    inner = getattr(layer, "layers", None)
    if inner is None:
        yield layer
    for child in inner or ():
        yield from leaves(child)


def shapes_of(model: keras.Model) -> dict[str, Shapes]:
    """Return the shapes of every layer's weights, for layers that have any."""
    return {
        layer.name: tuple(slot.shape for slot in found)
        for layer in model.layers
        if (found := slots(layer))
    }


def finalize(model: keras.Model) -> None:
    """Let layers that derive numbers from their weights do so."""
    for leaf in leaves(model):
        if hasattr(leaf, "finalize_state"):
            leaf.finalize_state()


def read_legacy(group: h5py.Group, path: Path) -> LegacyWeights:
    """Read all weights; `group` is the file itself or its `model_weights`."""
    layers = (_read_layer(group[name], name, path) for name in hdf5.texts(group, "layer_names"))
    return LegacyWeights(path, tuple(layer for layer in layers if layer.arrays))


def _read_layer(group: h5py.Group, name: str, path: Path) -> StoredLayer:
    names = [
        weight for weight in hdf5.texts(group, "weight_names") if _key(weight)[1] not in NO_WEIGHT
    ]
    arrays = tuple(hdf5.numbers(group[weight], path) for weight in names)
    refuse_unfinished(name, arrays, path)
    return StoredLayer(plain_name(name), tuple(_key(weight) for weight in names), arrays)


def _key(weight_name: str) -> tuple[str, str]:
    *owners, weight = weight_name.split("/")
    return (owners[-1] if owners else "", weight.split(":")[0])


def plain_name(name: str) -> str:
    """Return a layer's name as Keras 3 allows it: Keras 2 let names hold slashes."""
    return name.replace("/", "_")


def refuse_unfinished(layer: str, arrays: Sequence[Array], path: Path) -> None:
    """Raise WeightsNotFinite if any number is NaN or infinite."""
    count = sum(array.size - int(np.isfinite(array).sum()) for array in arrays)
    if count:
        problem = f"layer {layer} holds {count} weights that are NaN or infinite"
        raise ModelError("WeightsNotFinite", path, problem, "the file is damaged or diverged")


def misfit(path: Path, expected: Mapping[str, Shapes], found: Mapping[str, Shapes]) -> ModelError:
    """Return the error that names the first layer whose weights do not fit.

    Args:
        path: The file with the weights.
        expected: Shapes by layer of the network, in its order.
        found: Shapes by layer of the file, in its order.
    """
    if not expected.keys() & found.keys():
        renamed = dict(zip(expected, found, strict=False))
        found = {layer: found[name] for layer, name in renamed.items()} | {
            name: shapes for name, shapes in found.items() if name not in renamed.values()
        }
    problem = ""
    for layer in {**expected, **found}:
        if layer not in expected:
            problem = f"the network has no place for layer {layer} with {_list(found[layer])}"
        elif layer not in found:
            problem = f"layer {layer} expects {_list(expected[layer])}, found no such layer"
        elif found[layer] != expected[layer]:
            problem = f"layer {layer} expects {_list(expected[layer])}, found {_list(found[layer])}"
        if problem:
            break
    return ModelError("WeightsMismatch", path, problem, MISFIT_HINT)


def _list(shapes: Shapes) -> str:
    return ", ".join(str(shape) for shape in shapes) or "no weights"
