"""Networks that badrepair knows by name. A new one is a file here with `build` and `fit`."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras


class Architecture(Protocol):
    """What a module of this package offers."""

    def build(self, input_shape: tuple[int, ...] = ..., classes: int = ...) -> keras.Model:
        """Return an untrained network for images (H, W, C) and so many classes.

        Raises:
            ValueError: The images are too small for its layers.
        """

    def fit(self, shapes: Mapping[str, tuple[tuple[int, ...], ...]]) -> keras.Model | None:
        """Return an untrained network that takes weights of these shapes, or None.

        Args:
            shapes: The shapes of every layer's weights, by layer name.
        """


def names() -> tuple[str, ...]:
    """Return the names of all networks, such as "small-cnn", in alphabetical order."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name.replace("_", "-") for name in modules))


def get(name: str) -> Architecture:
    """Return the module of a network; `name` is one of `names()`."""
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    return cast("Architecture", module)
