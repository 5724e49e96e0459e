"""Load a network from a file of any Keras from 2.2 on, without running what the file says.

The description goes through the allow-list as plain JSON, is rewritten for Keras 3 and built
from that; then the weights are looked through and filled in. Nothing is compiled, and the
training configuration is never read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from badrepair.errors import ModelError, OptionError
from badrepair.files import require_file
from badrepair.models import architectures, contents

if TYPE_CHECKING:
    from badrepair.models.contents import Contents
    from badrepair.models.weights import Stored


def load_model(path: Path, *, weights: Path | None = None, arch: str | None = None) -> keras.Model:
    """Return a built, uncompiled network.

    Args:
        path: A `.keras` file, a whole or weights-only `.h5`, or a network's JSON; its content
            counts, not its suffix.
        weights: Where to take the weights instead, whole or weights-only.
        arch: Where to take the network instead: the name of a built-in one, a JSON or a whole
            file. A weights-only file needs it unless it fits a built-in network.

    Raises:
        InputMissingError: A file is not there.
        OptionError: The options contradict each other.
        ModelError: A file is none of these, is damaged, or holds what is refused.
    """
    main = contents.read(require_file(path))
    if weights is not None and main.config is None:
        problem = "expected a whole model beside --weights, found weights only"
        raise OptionError("TwoWeights", path, problem, "drop --weights, or give --arch")
    source = main if weights is None else contents.read(require_file(weights))
    if source.weights is None:
        problem = "the file describes a network but holds no weights"
        raise ModelError("WeightsMissing", source.path, problem, "add --weights FILE")
    model = _network(main, source.weights, arch)
    source.weights.assign(model)
    return model


def _network(main: Contents, stored: Stored, arch: str | None) -> keras.Model:
    if arch is not None and arch in architectures.names():
        known = architectures.get(arch)
        return known.fit(stored.shapes()) or known.build()
    if arch is not None:
        return _build(*_description(arch))
    if main.config is not None:
        return _build(main.config, main.path)
    return _fitting(stored, main.path)


def _description(arch: str) -> tuple[dict[str, Any], Path]:
    path = Path(arch)
    if not path.exists() and not path.suffix:
        problem = f"expected a file or one of {_built_in()}, found {arch}"
        raise OptionError("UnknownArchitecture", "--arch", problem)
    config = contents.read(require_file(path)).config
    if config is None:
        problem = "expected a network's JSON or a whole model, found weights only"
        raise ModelError("ConfigMissing", path, problem)
    return config, path


def _fitting(stored: Stored, path: Path) -> keras.Model:
    for name in architectures.names():
        model = architectures.get(name).fit(stored.shapes())
        if model is not None:
            return model
    problem = "it holds weights only, and they fit no built-in network"
    hint = f"--arch NAME|FILE; built in: {_built_in()}"
    raise ModelError("ConfigMissing", path, problem, hint)


def _built_in() -> str:
    return ", ".join(architectures.names())


def _build(config: dict[str, Any], path: Path) -> keras.Model:
    try:
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    except Exception as error:
        # Keras raises whatever its layers raise on values that make no network.
        problem = f"Keras cannot build the network: {' '.join(str(error).split())[:200]}"
        raise ModelError("ConfigInvalid", path, problem) from error
    _check_topology(model, path)
    return model


def _check_topology(model: Any, path: Path) -> None:
    inputs = [tuple(tensor.shape) for tensor in getattr(model, "inputs", ())]
    outputs = [tuple(tensor.shape) for tensor in getattr(model, "outputs", ())]
    if [len(shape) for shape in inputs] != [4]:
        problem = f"expected one input of images (N, H, W, C), found {_list(inputs)}"
        raise ModelError("UnsupportedTopology", path, problem)
    if [len(shape) for shape in outputs] != [2] or (outputs[0][1] or 0) < 2:
        problem = f"expected one output (N, classes) of two or more classes, found {_list(outputs)}"
        raise ModelError("UnsupportedTopology", path, problem)


def _list(shapes: list[tuple[int | None, ...]]) -> str:
    return ", ".join(str(shape) for shape in shapes) or "none"
