"""The edges of a network as Keras 2 stored them: `[layer, call, output, arguments]`.

Keras 2 counted the calls of a nested model from 1, since building it was call 0; Keras 3
counts them from 0, but its loader still takes 1 off where a nested Functional is an output.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from badrepair.models.gate.allowed import MODELS
from badrepair.models.weights import plain_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A call's arguments that change nothing in inference, or that Keras 3 takes in the same way.
CALL_ARGUMENTS = frozenset({"training", "mask"})


@dataclass(frozen=True)
class Calls:
    """How the calls of a network's nested models are counted.

    Args:
        first: By nested model, the number of its first call as the edges count it.
        first_at_end: The same as `output_layers` has to count it, relative to Keras 3.
    """

    first: Mapping[str, int]
    first_at_end: Mapping[str, int]

    @classmethod
    def of(cls, config: dict[str, Any]) -> Calls:
        """Look at a Functional network's config (Any, since it is parsed JSON)."""
        nested = [layer for layer in config["layers"] if layer["class_name"] in MODELS]
        if not any(isinstance(node, list) for node in _nodes(config)):
            return cls({}, {})
        calls: dict[str, set[int]] = defaultdict(set)
        for name, call, *_ in (*_edges(config), *_ends(config["output_layers"])):
            calls[name].add(call)
        first, first_at_end = {}, {}
        for layer in nested:
            name = layer["name"]
            first[name] = max(calls[name], default=0) + 1 - len(layer["inbound_nodes"])
            first_at_end[name] = first[name] - (layer["class_name"] != "Sequential")
        return cls(first, first_at_end)

    def nodes(self, nodes: list[Any]) -> list[Any]:
        """Return a layer's calls as Keras 3 counts them; its own form passes through.

        Raises:
            ValueError: If a call has arguments that are no input.
        """
        return [
            [self._edge(edge) for edge in _split(node)] if isinstance(node, list) else node
            for node in nodes
        ]

    def ends(self, tensors: Any) -> Any:
        """Return input or output layers as Keras 3 counts them; a single one out of its list."""
        ends = [
            [plain_name(name), call - self.first_at_end.get(name, 0), tensor]
            for name, call, tensor, *_ in _ends(tensors)
        ]
        return ends[0] if len(ends) == 1 else ends

    def _edge(self, edge: list[Any]) -> list[Any]:
        name, call, tensor, *rest = edge
        arguments = rest[0] if rest else {}
        for key, value in arguments.items():
            if key not in CALL_ARGUMENTS or not isinstance(value, bool | None):
                raise ValueError(f"it is called with {key}, which is no input image")
        return [plain_name(name), call - self.first.get(name, 0), tensor, arguments]


def input_layer(config: dict[str, Any]) -> str:
    """Return the name of the first input of a Functional network."""
    name: str = _ends(config["input_layers"])[0][0]
    return name


def _nodes(config: dict[str, Any]) -> Iterator[Any]:
    for layer in config["layers"]:
        yield from layer.get("inbound_nodes") or ()


def _edges(config: dict[str, Any]) -> Iterator[list[Any]]:
    for node in _nodes(config):
        if isinstance(node, list):
            yield from _split(node)


def _split(node: list[Any]) -> list[Any]:
    """Return a call's edges; some Keras 2 leave a single one bare."""
    return [node] if node and isinstance(node[0], str) else node


def _ends(tensors: Any) -> list[Any]:
    """Return the (layer, call, output) of inputs or outputs, however they are nested."""
    if isinstance(tensors, dict):
        return [end for value in tensors.values() for end in _ends(value)]
    if tensors and isinstance(tensors[0], str):
        return [tensors]
    return [end for value in tensors for end in _ends(value)]
