"""Tell from the shapes of weights for which images and classes a network was built."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from badrepair.models.weights import shapes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import keras

    from badrepair.models.gate.opened import Shapes


def kernels(shapes: Mapping[str, Shapes]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each layer's first weight, of layers whose first weight has axes.

    A weight of no numbers is left out: no network has one.
    """
    return {name: own[0] for name, own in shapes.items() if own and own[0] and all(own[0])}


def fitting(model: keras.Model, shapes: Mapping[str, Shapes]) -> keras.Model | None:
    """Return the network if it takes weights of just these shapes, else None."""
    return model if shapes_of(model) == dict(shapes) else None


def for_square_images(
    build: Callable[[tuple[int, int, int], int], keras.Model],
    shapes: Mapping[str, Shapes],
    *,
    poolings: int,
    channels: int,
) -> keras.Model | None:
    """Return a network whose dense layer `fc_1` tells the size of the images.

    Pooling by two drops what is over a multiple, so the weights of a 28x28 network are those of
    a 24x24 one behind three poolings: the smallest square image is taken.

    Args:
        build: Makes the network from (H, W, C) and the number of classes; its first convolution
            is `conv_1` and its last layer `output`.
        shapes: The shapes of every layer's weights, by layer name.
        poolings: How often the network halves the image.
        channels: How many channels `fc_1` sees of each place.

    Returns:
        None if the weights are not the network's.
    """
    found = kernels(shapes)
    if not {"conv_1", "fc_1", "output"} <= found.keys() or len(found["conv_1"]) != 4:
        return None
    side = 2**poolings * math.isqrt(found["fc_1"][0] // channels)
    if not side:
        return None
    return fitting(build((side, side, found["conv_1"][2]), found["output"][-1]), shapes)
