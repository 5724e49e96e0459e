"""Tell from plain JSON what layers a network has, what it takes, and in which range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from badrepair.confinement.finding import Finding
from badrepair.models.gate.allowed import MODELS
from badrepair.models.gate.sizes import SHAPE_KEYS
from badrepair.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from badrepair.models.gate.opened import Stored

# JSON from a file can be anything, hence Any.

TELLING = (
    *("filters", "units", "kernel_size", "strides", "pool_size", "size", "padding", "rate"),
    *("activation", "scale", "offset", "axis", "target_shape"),
)
# By its values alone: what a first Rescaling that makes small numbers of bytes multiplies by.
LARGEST_BYTE_SCALE = 1 / 64


@dataclass(frozen=True)
class LayerRow:
    """One layer of a network, in words.

    Args:
        name: Its name; of a layer in a nested model `model/layer`.
        kind: Its class.
        settings: What it is made with, as `filters 20, kernel_size 4`.
        parameters: How many numbers it holds; 0 where its weights are listed elsewhere.
    """

    name: str
    kind: str
    settings: str
    parameters: int


def layer_rows(config: Any, groups: tuple[Stored, ...]) -> list[LayerRow]:
    """Return the layers of a network in the order in which the file has them.

    Args:
        config: The network's description, allowed or not.
        groups: The weights in the file.
    """
    sizes = {
        group.name: sum(math.prod(shape) for shape in group.shapes)
        for group in groups
        if not group.is_random_state
    }
    if config is None:
        return [_weights_alone(group, sizes) for group in groups if group.name in sizes]
    return [
        LayerRow(printable(name), printable(kind), _settings(inside), sizes.get(plain, 0))
        for name, plain, kind, inside in _layers(config, "")
    ]


def misfits(config: Any, groups: tuple[Stored, ...]) -> Iterator[Finding]:
    """Yield the layers that would make more or fewer channels than any stored array has.

    Args:
        config: The network's description, allowed or not.
        groups: The weights in the file.
    """
    stored = {size for group in groups for shape in group.shapes for size in shape}
    for name, _, _, inside in _layers(config, ""):
        for key in ("filters", "units"):
            count = inside.get(key)
            if isinstance(count, int) and count not in stored:
                problem = f"it has {count} {key}, and no array in the file has an axis of that size"
                yield Finding("WeightsMismatch", f"layer {name}", problem)


def _weights_alone(group: Stored, sizes: Mapping[str, int]) -> LayerRow:
    """Return what is known of a layer of which there are the weights only."""
    shapes = ", ".join("x".join(map(str, shape)) for shape in group.shapes)
    return LayerRow(printable(group.name), "weights", shapes, sizes[group.name])


def input_shape(config: Any) -> tuple[int | None, ...] | None:
    """Return the shape of one image that a network takes, (H, W, C); None if it is not said."""
    for _, _, _, inside in _layers(config, ""):
        for key in SHAPE_KEYS:
            shape = inside.get(key)
            if isinstance(shape, list) and all(isinstance(one, int | None) for one in shape):
                return tuple(shape[1:])
    return None


def guess_range(config: Any) -> str:
    """Return in words which values a network takes, as far as its first layers tell."""
    for _, _, kind, inside in _layers(config, ""):
        if kind == "Rescaling":
            scale = inside.get("scale")
            if isinstance(scale, int | float) and 0 < abs(scale) <= LARGEST_BYTE_SCALE:
                return f"0-255: a Rescaling by {scale:.4g} stands first"
        if kind == "Normalization" and (means := _numbers(inside.get("mean"))):
            values = "0-255" if max(means) > 2 else "0-1"
            return f"{values}: a Normalization with a mean of {max(means):.4g} stands first"
        if kind.startswith(("Conv", "Dense", "Separable", "Depthwise")):
            break
    return "not told by its layers"


def _layers(config: Any, before: str) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Yield (full name, name, class, settings) of each layer, whatever nonsense there is."""
    inside = _of(config, "config")
    layers = inside if isinstance(inside, list) else _of(inside, "layers")
    for layer in layers if isinstance(layers, list) else ():
        kind, own = str(_of(layer, "class_name")), _of(layer, "config")
        own = own if isinstance(own, dict) else {}
        name = str(_of(layer, "name") or own.get("name") or kind)[:80]
        yield f"{before}{name}", name, kind[:80], own
        if kind in MODELS:
            yield from _layers(layer, f"{before}{name}/")


def _of(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _settings(inside: Mapping[str, Any]) -> str:
    told = {key: _short(inside.get(key)) for key in TELLING}
    return ", ".join(f"{key} {value}" for key, value in told.items() if value)


def _short(value: Any) -> str:
    """Return a setting in words; empty for one that goes without saying."""
    if value is None or value in ("linear", "valid", [1, 1], False, 0):
        return ""
    if isinstance(value, list):
        return "x".join(str(one) for one in value[:4])
    return printable(str(_of(value, "class_name") or value))[:40]


def _numbers(value: Any) -> list[float]:
    """Return the numbers in nested lists, but for whole ones that no float can be."""
    if isinstance(value, int | float):
        return [float(value)] if abs(value) < 2**63 else []
    return [one for item in value for one in _numbers(item)] if isinstance(value, list) else []
