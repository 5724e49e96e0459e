"""The shapes of all that a network holds of an image on its way, in nested networks too."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras

from badrepair.models.intermediates import Shape, values_within
from badrepair.models.surgery import nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# A layer's name, and the shape of what it makes.
Output = tuple[str, Shape]

# Tensors, layers and graphs are Keras's, which ships no types: hence Any.


def outputs_of_layers(model: keras.Model) -> Iterator[Output]:
    """Yield what every layer makes, the batch axis included; None where a size is open.

    What a layer holds meanwhile that is more than it makes is told as one more output of it.
    """
    for call in nodes(_graph(model)):
        yield from _of(call.operation, call.input_tensors, call.outputs)
        yield from _inside(call.operation, call.input_tensors)


def most_values(model: keras.Model, shape: Sequence[int]) -> int:
    """Return how many values the largest of all these has.

    Args:
        model: Takes images of one size or of any.
        shape: (H, W, C) of an image.
    """
    graph, image = _graph(model), keras.KerasTensor((None, *shape))
    fits = [tuple(one.shape[1:]) for one in graph.inputs] == [tuple(shape)]
    outputs = outputs_of_layers(model) if fits else _worked_out(graph, [image])
    return max(math.prod(size or 1 for size in output[1:]) for _, output in outputs)


def _of(layer: Any, taken: Sequence[Any], made: Sequence[Any]) -> Iterator[Output]:
    """Yield what one layer makes and holds, of tensors that it takes and makes."""
    for tensor in made:
        yield layer.name, tuple(tensor.shape)
        within = values_within(layer, [tuple(one.shape) for one in taken], tuple(tensor.shape))
        if within:
            yield layer.name, (None, within)


def _inside(layer: Any, tensors: Sequence[Any]) -> Iterator[Output]:
    """Yield what the layers of a nested network make of what it is called on."""
    network = getattr(layer, "layer", layer)
    if not isinstance(network, keras.Model):
        return
    if network is not layer:  # TimeDistributed runs it for every step of the first axis
        tensors = [keras.KerasTensor((None, *tensor.shape[2:])) for tensor in tensors]
    graph = _graph(network)
    if [tensor.shape for tensor in tensors] == [tensor.shape for tensor in graph.inputs]:
        yield from outputs_of_layers(network)
    else:
        yield from _worked_out(graph, tensors)


def _worked_out(graph: Any, tensors: Sequence[Any]) -> list[Output]:
    """Return what layers make of images of another size than they were built for."""
    found: list[Output] = []

    def noted(layer: Any) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            made = layer.compute_output_spec(*arguments, **options)
            taken = keras.tree.flatten(arguments)
            found.extend(_inside(layer, taken))
            found.extend(_of(layer, taken, keras.tree.flatten(made)))
            return made

        return call

    graph._run_through_graph(tensors, operation_fn=noted)
    return found


def _graph(model: keras.Model) -> Any:
    return model._functional if isinstance(model, keras.Sequential) else model
