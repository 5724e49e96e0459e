"""Give a network the weights of a file in the layout that Keras 1 and 2 wrote.

Every whole `.h5` still has it; see `gate.layouts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from badrepair.errors import ModelError
from badrepair.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import keras

    from badrepair.models.gate.opened import Opened, Shapes, Stored

MISFIT_HINT = "check that the weights belong to this network, or name the network with --arch"


class Weights(Protocol):
    """The weights of a file, whatever their layout."""

    def shapes(self) -> Mapping[str, Shapes]:
        """Return the shapes of every layer's weights, in the file's order."""

    def require_fit(self, model: keras.Model) -> None:
        """Raise ModelError, WeightsMismatch, unless the network takes just these weights."""

    def assign(self, model: keras.Model) -> None:
        """Give the weights to a network that they fit, or raise ModelError on damaged ones."""


@dataclass(frozen=True)
class LegacyWeights:
    """The weights of an old file."""

    opened: Opened

    def shapes(self) -> dict[str, Shapes]:
        """Return the shapes of every layer's weights, in the file's order."""
        return {plain_name(group.name): group.shapes for group in self.opened.groups}

    def require_fit(self, model: keras.Model) -> None:
        """Raise ModelError, WeightsMismatch, unless the network takes just these weights."""
        self._pairs(model)

    def assign(self, model: keras.Model) -> None:
        """Give the weights to a network that they fit, or raise ModelError on damaged ones."""
        for slot, number in self._pairs(model):
            slot.variable.assign(self.opened.array(number))
        finalize(model)

    def _pairs(self, model: keras.Model) -> list[tuple[Slot, int]]:
        """Return which array is for which place.

        Layers are paired by name; in the order of the network, which is all that Keras goes by,
        where the names differ. Where both could be and say different things, neither is right.
        """
        wanted = {layer.name: found for layer in model.layers if (found := slots(layer))}
        expected = {name: tuple(slot.shape for slot in found) for name, found in wanted.items()}
        groups = self.opened.groups
        names = [plain_name(group.name) for group in groups]
        fit_in_order = [group.shapes for group in groups] == list(expected.values())
        if sorted(names) != sorted(wanted):
            if not fit_in_order:
                raise misfit(self.opened.path, expected, self.shapes())
            names = list(wanted)
        elif names != list(wanted) and fit_in_order:
            raise self._contradiction("its layers")
        stored = dict(zip(names, groups, strict=True))
        return [
            pair for name, found in wanted.items() for pair in self._pair(name, found, stored[name])
        ]

    def _pair(self, name: str, found: Sequence[Slot], stored: Stored) -> list[tuple[Slot, int]]:
        by_key = {slot.key: slot for slot in found}
        in_order = tuple(slot.shape for slot in found)
        if len(by_key) == len(found) and sorted(by_key) == sorted(stored.keys):
            if tuple(slot.key for slot in found) != stored.keys and in_order == stored.shapes:
                raise self._contradiction(f"the weights of layer {printable(name)}")
            found = [by_key[key] for key in stored.keys]
        expected = tuple(slot.shape for slot in found)
        if expected != stored.shapes:
            raise misfit(self.opened.path, {name: expected}, {name: stored.shapes})
        return [(slot, stored.first + index) for index, slot in enumerate(found)]

    def _contradiction(self, what: str) -> ModelError:
        problem = (
            f"by their names {what} are in another order than the network has them in:"
            " Keras goes by the order, and would load another network"
        )
        return ModelError("WeightsMismatch", self.opened.path, problem, "save it with Keras again")


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


def plain_name(name: str) -> str:
    """Return a layer's name as Keras 3 allows it: Keras 2 let names hold slashes."""
    return name.replace("/", "_")


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
    return ModelError("WeightsMismatch", path, printable(problem), MISFIT_HINT)


def _list(shapes: Shapes) -> str:
    return ", ".join(str(shape) for shape in shapes) or "no weights"
