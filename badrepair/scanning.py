"""Say what is in a model file without running any of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from badrepair.confinement.finding import Finding
from badrepair.errors import ModelError
from badrepair.files import sha256
from badrepair.models.gate.architecture import guess_range, input_shape, layer_rows, misfits
from badrepair.models.gate.opened import Opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from badrepair.models.gate.architecture import LayerRow

# Nothing can be said of such a file; everything else that is wrong is a finding.
UNREADABLE = frozenset(
    {"UnknownFormat", "Truncated", "Corrupt", "LoaderCrashed", "LoaderTimeout", "WeightsMissing"}
)
FORMATS = {"zip": ".keras", "hdf5": "HDF5", "json": "JSON"}


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What is in a model file.

    Args:
        path: The file.
        sha256: Its digest, in hexadecimal.
        size: In bytes.
        format: ".keras", "HDF5", "JSON", or what is known of it.
        keras_version: The Keras that wrote it, empty if it does not say.
        input_shape: Of one image, (H, W, C); None if it does not say.
        input_range: In words.
        layers: In the order of the file; empty in a file of weights alone.
        parameters: How many numbers its weights are.
        findings: What is wrong with it, the worst first.
    """

    path: Path
    sha256: str
    size: int
    format: str
    keras_version: str = ""
    input_shape: tuple[int | None, ...] | None = None
    input_range: str = ""
    layers: tuple[LayerRow, ...] = ()
    parameters: int = 0
    findings: tuple[Finding, ...] = ()


def scan(path: Path) -> Scan:
    """Return what is in a model file, and all that the gate finds wrong with it.

    Raises:
        InputMissingError: There is no such file, or it may not be read.
        DataError: It is no file.
        ModelError: It cannot be read as a model: UnknownFormat, Truncated, Corrupt, …
    """
    try:
        with Opened(path) as opened:
            return _described(path, opened)
    except ModelError as error:
        if error.code in UNREADABLE:
            raise
        finding = Finding(error.code, "", error.problem, error.hint)
        return Scan(**_identity(path), format="not looked into", findings=(finding,))


def _described(path: Path, opened: Opened) -> Scan:
    worst_first = sorted(
        (*opened.findings, *_misfits(opened), *_damaged(opened)),
        key=lambda found: found.severity != "refused",
    )
    weights = (group for group in opened.groups if not group.is_random_state)
    return Scan(
        **_identity(path),
        format=_format(opened),
        keras_version=opened.version,
        input_shape=input_shape(opened.config),
        input_range="" if opened.config is None else guess_range(opened.config),
        layers=tuple(layer_rows(opened.config, opened.groups)),
        parameters=sum(math.prod(shape) for group in weights for shape in group.shapes),
        findings=tuple(worst_first),
    )


def _identity(path: Path) -> dict[str, Any]:
    return {"path": path, "sha256": sha256(path), "size": path.stat().st_size}


def _format(opened: Opened) -> str:
    name = FORMATS[opened.format]
    if opened.config is None:
        return f"{name}, weights alone"
    return f"{name}, a description alone" if opened.layout is None else name


def _misfits(opened: Opened) -> Iterator[Finding]:
    # Weights behind links are not even listed.
    listed = not any(found.code == "H5Link" for found in opened.findings)
    if listed and opened.config is not None and opened.layout is not None:
        yield from misfits(opened.config, opened.groups)


def _damaged(opened: Opened) -> list[Finding]:
    """Return what is wrong with the weights themselves; all are read."""
    found: dict[str, Finding] = {}
    for group in opened.groups:
        for number in range(group.first, group.first + len(group.shapes)):
            try:
                opened.array(number)
            except ModelError as error:
                if error.code in UNREADABLE:
                    raise
                found.setdefault(group.name, Finding(error.code, "", error.problem, error.hint))
    return list(found.values())
