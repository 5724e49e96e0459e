"""Describe a model file and hand out its weights; this runs in confinement, without Keras."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from badrepair.confinement.finding import MOST_FINDINGS
from badrepair.confinement.hdf5 import BFLOAT16, faults_named, look_through
from badrepair.errors import ModelError
from badrepair.models.gate import layouts
from badrepair.models.gate.archive import CONFIG, METADATA, Archive
from badrepair.models.gate.faces import require_one_face
from badrepair.models.gate.json_text import MOST_BYTES, parsed, too_large
from badrepair.models.gate.magic import HEAD_BYTES, kind_of
from badrepair.models.gate.plain import plain, training_faults
from badrepair.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from badrepair.confinement.finding import Finding
    from badrepair.models.gate.layouts import Group

MOST_FILE_BYTES = 2 * 2**30
# All weights together may be so much larger than the file.
MOST_RATIO = 64


class ModelReader:
    """A model file, described.

    Args:
        descriptor: Of the open file.
        where: What to call it in errors.
    """

    def __init__(self, descriptor: int, where: str) -> None:
        self._file, self._where = os.fdopen(descriptor, "rb"), where
        self._size = os.fstat(descriptor).st_size
        if self._size > MOST_FILE_BYTES:
            problem = f"expected at most {MOST_FILE_BYTES:,} bytes, found {self._size:,}"
            raise ModelError("TooBig", where, problem)
        self._format = kind_of(self._file.read(HEAD_BYTES), where)
        self._archive = Archive(self._file, where) if self._format == "zip" else None
        weights = None if self._archive is None else self._archive.weights_start
        require_one_face(self._file, self._format, where, weights)

    def answer(self, question: Mapping[str, Any]) -> tuple[Any, bytes | memoryview]:
        """Return the description, or one array."""
        if question["do"] == "describe":
            return self._description(), b""
        return self._array(question["array"])

    def _description(self) -> dict[str, Any]:
        """Return all that is not weights, and what is wrong with it."""
        with faults_named(self._where, ModelError):
            raw, version = self._raw_config, self._version
            findings, linked = _gathered(self._findings(raw))
            places = [] if linked else self._groups
        return {
            "format": self._format,
            "version": version,
            "config": plain(raw),
            "layout": None if self._hdf5 is None else self._layout,
            "groups": [_told(group) for group in places],
            "findings": [vars(one) for one in findings],
        }

    def _findings(self, raw: Any) -> Iterator[Finding]:
        if self._hdf5 is not None:
            yield from look_through(self._hdf5)
        if raw is not None:
            yield from training_faults(raw)
        if self._hdf5 is not None and "model_config" in self._hdf5.attrs:
            training = self._hdf5.attrs.get("training_config")
            if training is not None:
                text = layouts.text(training).encode()
                yield from training_faults({"training_config": parsed(text, self._where)})

    def _array(self, number: int) -> tuple[Any, bytes | memoryview]:
        with faults_named(self._where, ModelError):
            group, array = self._arrays[number]
            values, kind = np.asarray(array[()]), layouts.type_of(array)
            self._require_finite(values, kind, group)
        return {"type": kind, "shape": list(array.shape)}, np.ascontiguousarray(values).data

    def _require_finite(self, values: Any, kind: str, group: Group) -> None:
        if kind == BFLOAT16:
            finite = (values.view("<u2") & 0x7F80) != 0x7F80
        elif values.dtype == np.float64:  # which becomes one of single precision
            finite = np.abs(values) <= np.finfo(np.float32).max
        else:
            finite = np.isfinite(values)
        count = int(values.size - finite.sum())
        if count:
            problem = (
                f"layer {printable(group.name)[:80]} holds {count} weights that are NaN or infinite"
            )
            hint = "the file is damaged or diverged"
            raise ModelError("WeightsNotFinite", self._where, problem, hint)

    @cached_property
    def _hdf5(self) -> h5py.File | None:
        """The weights' file; None if there is none."""
        if self._format == "json":
            return None
        stream = self._file if self._archive is None else self._archive.weights()
        return h5py.File(stream, "r")

    @cached_property
    def _raw_config(self) -> Any:
        """The network's description as the file has it; None if it has none."""
        if self._archive is not None:
            return parsed(self._archive.text(CONFIG), self._where)
        if self._hdf5 is None:
            return parsed(self._all(), self._where)
        found = self._hdf5.attrs.get("model_config")
        return None if found is None else parsed(layouts.text(found).encode(), self._where)

    @property
    def _version(self) -> str:
        """The Keras that wrote the file; empty if it does not say."""
        config = self._raw_config
        said = config.get("keras_version") if isinstance(config, dict) else None
        if said is None and self._archive is not None:
            metadata = parsed(self._archive.text(METADATA), self._where)
            said = metadata.get("keras_version") if isinstance(metadata, dict) else None
        if said is None and self._hdf5 is not None:
            said = layouts.text(self._hdf5.attrs.get("keras_version", ""))
        return str(said or "")[:40]

    @cached_property
    def _layout(self) -> layouts.Layout:
        return layouts.layout_of(self._weights) or "legacy"

    @property
    def _weights(self) -> Any:
        """Where the weights are: the file itself, but for a whole `.h5`."""
        if self._hdf5 is None:
            return None
        if self._archive is None and "model_config" in self._hdf5.attrs:
            if "model_weights" not in self._hdf5:
                problem = "the network is there, its weights are not"
                raise ModelError("WeightsMissing", self._where, problem)
            return self._hdf5["model_weights"]
        if layouts.layout_of(self._hdf5) is None:
            raise layouts.unknown(self._hdf5, self._where)
        return self._hdf5

    @cached_property
    def _groups(self) -> list[Group]:
        if self._hdf5 is None:
            return []
        found = layouts.groups(self._weights, self._layout, self._where)
        total = sum(array.nbytes for group in found for array in group.arrays)
        if total > MOST_RATIO * self._size:
            problem = f"its weights declare {total:,} bytes, the file has {self._size:,}"
            raise ModelError("H5Bomb", self._where, problem)
        return found

    @cached_property
    def _arrays(self) -> list[tuple[Group, h5py.Dataset]]:
        return [(group, array) for group in self._groups for array in group.arrays]

    def _all(self) -> bytes:
        content = self._file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise too_large(self._where)
        return content


def _gathered(findings: Iterable[Finding]) -> tuple[list[Finding], bool]:
    """Return the first findings, and whether anything links elsewhere, be it told or not."""
    first: list[Finding] = []
    linked = False
    for found in findings:
        linked |= found.code == "H5Link"
        if len(first) < MOST_FINDINGS:
            first.append(found)
    return first, linked


def _told(group: Group) -> dict[str, Any]:
    shapes = [list(array.shape) for array in group.arrays]
    return {"name": group.name, "place": group.place, "keys": group.keys, "shapes": shapes}
