"""Decide on plain JSON whether a network is of a size that can be built.

A few bytes can describe an image of terabytes, or models that each call the next ten times, so that
nine of them make a thousand million layers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from badrepair.confinement.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

# JSON from a file can be anything, hence Any.

MOST_LAYERS = 2_000
# Of all layers together, those of a nested model as often as that is called.
MOST_CALLS = 20_000
# Of one image, and of what one layer makes of it: half a GiB.
MOST_VALUES = 2**27
SHAPE_KEYS = ("batch_shape", "batch_input_shape", "build_input_shape")

# What these keys say is no size.
ANY_NUMBER = ("seed", "shared_object_id")
# These say how many pixels a side has, or gets more of.
SIDES = frozenset(
    {"height", "width", "size", "padding", "cropping", "output_size", "pool_size", "n"}
)
MOST_SIDE = 2**14
# How far apart a layer reads or writes pixels: what runs over the gaps takes time for nothing.
STEPS = frozenset({"strides", "dilation_rate"})
MOST_STEP = 2**10


def size_faults(config: Any) -> Iterator[Finding]:
    """Yield what is too large in a network's description."""
    layers = _count_layers(config)
    if layers > MOST_LAYERS:
        yield _too_many("layers", MOST_LAYERS, layers)
    calls = _count_calls(config)
    if calls > MOST_CALLS:
        yield _too_many("calls of layers", MOST_CALLS, calls)
    yield from _vast(config, "")


def _too_many(what: str, most: int, found: int) -> Finding:
    problem = f"expected at most {most:,} {what}, found {found:,}"
    return Finding("LimitExceeded", "the network", problem)


def _count_layers(value: Any, key: str = "config") -> int:
    """Return how many layers there are, nested ones too."""
    if isinstance(value, list):
        # Keras 1 put the layers of a Sequential right into its config.
        inside = "layers" if key == "config" else key
        return sum(_count_layers(item, inside) for item in value)
    if not isinstance(value, dict):
        return 0
    return (key == "layers") + sum(_count_layers(item, name) for name, item in value.items())


def _count_calls(value: Any, key: str = "config") -> int:
    """Return how many layers run for one image; a Sequential lists no calls of those inside it."""
    if isinstance(value, list):
        inside = "layers" if key == "config" else key
        return sum(_count_calls(item, inside) for item in value)
    if not isinstance(value, dict):
        return 0
    nodes = value.get("inbound_nodes")
    times = max(1, len(nodes)) if isinstance(nodes, list) else 1
    inner = sum(_count_calls(item, name) for name, item in value.items() if name != "inbound_nodes")
    return times * (inner + (key == "layers"))


def _vast(value: Any, path: str, key: str = "") -> Iterator[Finding]:
    """Yield the images and the numbers that are too large for any network."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _vast(item, f"{path}[{index}]", key)
    elif isinstance(value, dict):
        for name, item in value.items():
            shown = name if name.isidentifier() else "?"
            yield from _vast(item, f"{path}.{shown}".lstrip("."), name)
    most, found = _most(key), 0
    if isinstance(value, int) and key not in ANY_NUMBER:
        found = abs(value)
    elif isinstance(value, list) and key in SHAPE_KEYS:
        found = math.prod(one for one in value[1:] if isinstance(one, int) and one > 0)
    if found > most:
        problem = f"expected at most {most:,} for {key[:80]}, found {_shown(found)}"
        yield Finding("LimitExceeded", "the network", problem, path=path[-200:])


def _most(key: str) -> int:
    """Return how large a number under a key may be."""
    if key in STEPS:
        return MOST_STEP
    return MOST_SIDE if key in SIDES else MOST_VALUES


def _shown(number: int) -> str:
    return f"{number:,}" if abs(number) < 2**63 else "a number of over 64 bits"
