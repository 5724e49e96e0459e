"""Give a network the weights of a file in the layout of Keras 3.

Its groups are named by class and count, not by layer, so that only Keras knows which network they
fit: it asks for them by place, and gets arrays that were looked through.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from keras.src.saving import saving_lib

from badrepair.errors import ModelError
from badrepair.models.keras_words import in_one_line
from badrepair.models.weights import MISFIT_HINT, leaves, misfit
from badrepair.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, KeysView

    import keras

    from badrepair.models.gate.opened import Opened, Shapes, Stored
    from badrepair.views import Array

ROOT, OLD_ROOT = "layers", "_layer_checkpoint_dependencies"


@dataclass(frozen=True)
class NativeWeights:
    """The weights of a file as Keras 3 writes it."""

    opened: Opened

    def shapes(self) -> dict[str, Shapes]:
        """Return the shapes of every layer's weights; names are the file's."""
        return {
            group.name: group.shapes for group in self.opened.groups if not group.is_random_state
        }

    def require_fit(self, model: keras.Model) -> None:
        """Raise ModelError, WeightsMismatch, unless the network takes just these weights."""
        wanted = Counter(tuple(one.shape) for one in _stored_variables(model))
        groups = (group for group in self.opened.groups if not group.is_random_state)
        if wanted != Counter(shape for group in groups for shape in group.shapes):
            raise self._misfit(model, "")

    def assign(self, model: keras.Model) -> None:
        """Give the weights to a network that they fit, or raise ModelError on damaged ones.

        Raises:
            ModelError: WeightsMismatch; the network is then half filled and of no use.
        """
        missed: dict[int, tuple[Any, Exception]] = {}
        store = _Store(self.opened)
        with warnings.catch_warnings():
            # Of layers that it misses, which become one error of ours.
            warnings.simplefilter("ignore")
            saving_lib._load_state(
                model,
                weights_store=store,
                assets_store=None,
                inner_path="",
                visited_saveables=set(),
                failed_saveables=set(),
                error_msgs=missed,
            )
        for _, error in missed.values():
            if isinstance(error, ModelError):
                raise error
            raise self._misfit(model, in_one_line(error)) from error
        # Keras passes over what it does not find in lists of layers, without a word.
        for group in self.opened.groups:
            if not group.is_random_state and not store.has_given(group):
                raise self._misfit(model, printable(f"the network has no place for {group.name}"))

    def _misfit(self, model: keras.Model, reason: str) -> ModelError:
        layers = (leaf for leaf in leaves(model) if leaf.weights)
        expected = {leaf.name: tuple(tuple(one.shape) for one in leaf.weights) for leaf in layers}
        found = self.shapes()
        if expected != found and expected.keys() & found.keys():
            return misfit(self.opened.path, expected, found)
        stored = sum(math.prod(shape) for shapes in found.values() for shape in shapes)
        counts = f"the network has {model.count_params():,} weights, the file {stored:,}"
        return ModelError("WeightsMismatch", self.opened.path, reason or counts, MISFIT_HINT)


def _stored_variables(model: keras.Model) -> Iterator[Any]:
    """Yield what Keras stores: a layer around another one may hold its weights a second time."""
    for layer in model._flatten_layers():
        yield from (*layer._trainable_variables, *layer._non_trainable_variables)


class _Store(saving_lib.H5IOStore):  # type: ignore[misc]  # Keras ships no types
    """What Keras asks for weights by place; Keras takes nothing but its own kind of store."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._places = {group.place: group for group in opened.groups}
        self._here: dict[str, int] = {}
        self._given: set[int] = set()

    def __bool__(self) -> bool:
        return True

    def get(self, path: str) -> Self:
        group = self._places.get(path) or self._places.get(path.replace(ROOT, OLD_ROOT))
        keys = () if group is None else group.keys
        first = 0 if group is None else group.first
        self._here = {key: first + index for index, (_, key) in enumerate(keys)}
        return self

    def has_path(self, path: str) -> bool:
        return any(place == path or place.startswith(f"{path}/") for place in self._places)

    def keys(self) -> KeysView[str]:
        return self._here.keys()

    def __len__(self) -> int:
        return len(self._here)

    def __contains__(self, key: str) -> bool:
        return key in self._here

    def __getitem__(self, key: str) -> Array:
        self._given.add(self._here[key])
        return self._opened.array(self._here[key])

    def has_given(self, group: Stored) -> bool:
        return self._given.issuperset(range(group.first, group.first + len(group.shapes)))
