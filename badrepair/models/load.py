"""Load a network from a file of any Keras from 2.2 on, without running what the file says.

A confined process describes the file; the description goes through the allow-list as plain JSON,
is rewritten for Keras 3 and built from that; then the weights are filled in. Nothing is compiled,
and the training configuration is never read.
"""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from badrepair.errors import ModelError, OptionError
from badrepair.models import architectures, legacy
from badrepair.models.building import Described, built
from badrepair.models.gate.opened import Opened
from badrepair.models.gate.trust import digests
from badrepair.models.native_weights import NativeWeights
from badrepair.models.weights import LegacyWeights

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import keras

    from badrepair.models.weights import Weights

log = logging.getLogger(__name__)

SUFFIXES = {".keras": "zip", ".h5": "hdf5", ".hdf5": "hdf5", ".json": "json"}
FORMATS = {"zip": "a .keras archive", "hdf5": "an HDF5 file", "json": "a description in JSON"}


def load_model(
    path: Path,
    *,
    weights: Path | None = None,
    arch: str | None = None,
    trusted: Collection[str] = (),
) -> keras.Model:
    """Return a built, uncompiled network.

    Args:
        path: A `.keras` file, a whole or weights-only `.h5`, or a network's JSON; its content
            counts, not its suffix.
        weights: Where to take the weights instead, whole or weights-only.
        arch: Where to take the network instead: the name of a built-in one, a JSON or a whole
            file. A weights-only file needs it unless it fits a built-in network.
        trusted: `sha256:` and the digest of files whose layers need not be known ones; what is
            let through is logged as a warning. The limits stay, and Keras's safe mode too.

    Raises:
        InputMissingError: A file is not there.
        OptionError: The options contradict each other, or what is trusted is no digest.
        ModelError: A file is none of these, is damaged, or holds what is refused.
    """
    with ExitStack() as stack:
        opened = partial(_opened, stack=stack, trusted=digests(trusted))
        main = opened(path)
        if weights is not None and main.config is None:
            problem = "expected a whole model beside --weights, found weights only"
            raise OptionError("TwoWeights", path, problem, "drop --weights, or give --arch")
        config = _description(main, arch, opened)
        stored = _weights(main if weights is None else opened(weights))
        model = _fitting(stored, arch, main.path) if config is None else built(config, stored)
        stored.assign(model)
    return model


def _opened(path: Path, *, stack: ExitStack, trusted: Collection[str]) -> Opened:
    opened = stack.enter_context(Opened(path))
    opened.require_harmless(trusted=trusted)
    for found in opened.let_through:
        log.warning("%s is trusted, and let through: %s", path, found.sentence)
    claimed = SUFFIXES.get(path.suffix.lower(), opened.format)
    if claimed != opened.format:
        log.warning("%s is %s by its content, whatever its name says", path, FORMATS[opened.format])
    return opened


def _weights(source: Opened) -> Weights:
    if source.layout is None:
        problem = "the file describes a network but holds no weights"
        raise ModelError("WeightsMissing", source.path, problem, "add --weights FILE")
    return LegacyWeights(source) if source.layout == "legacy" else NativeWeights(source)


def _description(
    main: Opened, arch: str | None, opened: Callable[[Path], Opened]
) -> Described | None:
    """Return what to build; None where a built-in network is to be taken."""
    if arch in architectures.names() or (arch is None and main.config is None):
        return None
    source = main if arch is None else opened(_existing(arch))
    if source.config is None:
        problem = "expected a network's JSON or a whole model, found weights only"
        raise ModelError("ConfigMissing", source.path, problem)
    trusted = bool(source.let_through)
    config = legacy.modern(source.config, source.path, source.version, trusted=trusted)
    return Described(config, source.path)


def _existing(arch: str) -> Path:
    path = Path(arch)
    if not os.path.exists(path) and not path.suffix:
        problem = f"expected a file or one of {_built_in()}, found {arch}"
        raise OptionError("UnknownArchitecture", "--arch", problem)
    return path


def _fitting(stored: Weights, arch: str | None, path: Path) -> keras.Model:
    """Return the built-in network that weights fit."""
    names = architectures.names() if arch is None else [arch]
    for name in names:
        model = architectures.get(name).fit(stored.shapes())
        if model is not None:
            stored.require_fit(model)
            return model
    if arch is not None:
        stored.require_fit(architectures.get(arch).build())
    problem = "it holds weights only, and they fit no built-in network"
    hint = f"--arch NAME|FILE; built in: {_built_in()}"
    raise ModelError("ConfigMissing", path, problem, hint)


def _built_in() -> str:
    return ", ".join(architectures.names())
