"""What a layer holds for a moment that is larger than what comes out of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from keras import layers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Shape = tuple[int | None, ...]

# Layers are Keras's, which ships no types: hence Any.


def values_within(layer: Any, inputs: Sequence[Shape], output: Shape) -> int:
    """Return how many values a layer holds of one image on its way, as far as that is known.

    Args:
        layer: Of any kind; 0 for most, which hold no more than they take and make.
        inputs: The shapes that it takes, the batch axis first; open sizes count as 1.
        output: The shape that it makes.
    """
    if isinstance(layer, layers.TimeDistributed):
        steps = _product(inputs[0][1:2])
        one = [(None, *shape[2:]) for shape in inputs]
        return steps * values_within(layer.layer, one, (None, *output[2:]))
    for kinds, count in _COUNTS.items():
        if isinstance(layer, kinds):
            return count(layer, inputs, output)
    return 0


def _scores(layer: Any, inputs: Sequence[Shape], output: Shape) -> int:
    """Count a score for every pair of a query and a key."""
    query, key = inputs[0], inputs[min(1, len(inputs) - 1)]
    pairs = _product(query[1:-1]) * _product(key[1:-1])
    channels = _product(key[-1:]) if isinstance(layer, layers.AdditiveAttention) else 1
    return pairs * channels * int(getattr(layer, "num_heads", 1))


def _depthwise(layer: Any, inputs: Sequence[Shape], output: Shape) -> int:
    return _product(output[1:-1]) * _product(inputs[0][-1:]) * int(layer.depth_multiplier)


def _padded(layer: Any, inputs: Sequence[Shape], output: Shape) -> int:
    """Count the image after it got the shape, not yet the size, of what comes out."""
    if not layer.pad_to_aspect_ratio:
        return 0
    (height, width, channels), (new_height, new_width) = inputs[0][-3:], output[-3:-1]
    sizes = [one or 1 for one in (height, width, channels, new_height, new_width)]
    tall = max(sizes[0], math.ceil(sizes[1] * sizes[3] / sizes[4]))
    wide = max(sizes[1], math.ceil(sizes[0] * sizes[4] / sizes[3]))
    return tall * wide * sizes[2]


def _product(sizes: Sequence[int | None]) -> int:
    return math.prod(size or 1 for size in sizes)


_COUNTS: dict[Any, Callable[[Any, Sequence[Shape], Shape], int]] = {
    (layers.Attention, layers.MultiHeadAttention): _scores,
    (layers.SeparableConv1D, layers.SeparableConv2D): _depthwise,
    (layers.Resizing,): _padded,
}
