"""A model file as the rest of badrepair sees it: a description, and arrays to ask for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from badrepair.confinement.finding import MOST_FINDINGS, Finding
from badrepair.confinement.hdf5 import BFLOAT16
from badrepair.confinement.process import Confined
from badrepair.errors import DataError, ModelError
from badrepair.models.gate import allowed
from badrepair.models.gate.layouts import RANDOM_STATE
from badrepair.models.gate.trust import holds_code
from badrepair.words import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from badrepair.views import Array

Shapes = tuple[tuple[int, ...], ...]
READER = "badrepair.models.gate.reader:ModelReader"
# What a folder is that holds a file of such a name.
FOLDERS = {
    "saved_model.pb": "the folder of a SavedModel",
    "_CHECKPOINT_METADATA": "the folder of an Orbax checkpoint",
    "manifest.ocdbt": "the folder of an Orbax checkpoint",
}
# What `--trust-model` lets through.
LOOSENED = frozenset({"LayerNotAllowed", "CustomObject", "CodeInModel", "ActivationNotAllowed"})


@dataclass(frozen=True)
class Stored:
    """The arrays of one layer, which are still in the file.

    Args:
        name: The layer's name as the file has it.
        place: Where in the file.
        keys: For every array (layer, weight), such as ("conv_1", "kernel").
        shapes: Of every array.
        first: Number of the first array among all of the file.
    """

    name: str
    place: str
    keys: tuple[tuple[str, str], ...]
    shapes: Shapes
    first: int

    @property
    def is_random_state(self) -> bool:
        """Return whether these are no weights, but where a random number generator stands."""
        return any(part.startswith(RANDOM_STATE) for part in self.place.split("/"))


class Opened:
    """A model file that a confined process reads; nothing of it is allowed yet but to be looked at.

    Args:
        path: The file.

    Raises:
        InputMissingError: There is no such file, or it may not be read.
        DataError: It is no file.
        ModelError: It cannot be read, or not without harm.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.let_through: tuple[Finding, ...] = ()
        _require_no_folder(path)
        self._confined = Confined(path, READER, ModelError)
        try:
            said, _ = self._confined.ask(do="describe")
            self._take(said)
        except (KeyError, TypeError, ValueError) as error:
            raise self._nonsense(error) from error

    def _take(self, said: Mapping[str, Any]) -> None:
        """Take over what the reader says, which is itself not to be trusted."""
        self.format, self.version = str(said["format"]), printable(str(said["version"]))
        self.config: Any = said["config"]
        self.layout: str | None = said["layout"]
        self.groups = _groups(said["groups"])
        self.findings = (
            *(Finding(**one) for one in said["findings"]),
            *(() if self.config is None else _first(allowed.walk(self.config))),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._confined.close()

    def require_harmless(self, *, trusted: Collection[str] = ()) -> None:
        """Raise the first thing that is refused.

        Args:
            trusted: `sha256:` and the digest of files in which what `LOOSENED` names passes.
        """
        loosened = LOOSENED if self._is_among(trusted) else frozenset()
        for found in self.findings:
            if found.severity == "refused" and found.code not in loosened:
                hint = self._way_out(found)
                raise ModelError(found.code, self.path, found.sentence, hint)
        self.let_through = tuple(found for found in self.findings if found.code in loosened)

    def _is_among(self, trusted: Collection[str]) -> bool:
        return bool(trusted) and f"sha256:{self._confined.sha256()}" in trusted

    def _way_out(self, found: Finding) -> str:
        if found.code not in LOOSENED or holds_code(self.config):
            return found.hint
        digest = self._confined.sha256()
        return f"{found.hint}; if you know who made it, --trust-model sha256:{digest}"

    def array(self, number: int) -> Array:
        """Return one of the arrays; see `Stored.first`.

        Raises:
            ModelError: WeightsNotFinite, or the file is damaged.
        """
        said, content = self._confined.ask(do="array", array=number)
        try:
            kind = said["type"]
            dtype = np.dtype(_bfloat16() if kind == BFLOAT16 else kind)
            return np.frombuffer(content, dtype).reshape(said["shape"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._nonsense(error) from error

    def _nonsense(self, error: Exception) -> ModelError:
        self._confined.close()
        problem = f"its reader answered nonsense ({type(error).__name__}): the file is made to harm"
        return ModelError("LoaderCrashed", self.path, problem, "do not use the file")


def _require_no_folder(path: Path) -> None:
    """Refuse a folder, and name what it is: some formats of models are folders."""
    if not os.path.isdir(path):
        return
    kinds = (kind for name, kind in FOLDERS.items() if os.path.lexists(path / name))
    problem = f"expected a file, found {next(kinds, 'a folder')}"
    raise DataError("NotAFile", path, problem, "give a .keras or .h5 file")


def _first(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings until there are enough to tell: a made-up file can have any number of them."""
    for number, found in enumerate(findings):
        if number == MOST_FINDINGS:
            problem = f"more than {MOST_FINDINGS} faults; the others are left out"
            yield Finding("MoreFindings", "the network", problem, severity="warning")
            return
        yield found


def _groups(said: Iterable[Mapping[str, Any]]) -> tuple[Stored, ...]:
    found: list[Stored] = []
    first = 0
    for group in said:
        shapes = tuple(tuple(int(size) for size in shape) for shape in group["shapes"])
        keys = tuple((str(layer), str(weight)) for layer, weight in group["keys"])
        found.append(Stored(str(group["name"]), str(group["place"]), keys, shapes, first))
        first += len(shapes)
    return tuple(found)


def _bfloat16() -> Any:
    import ml_dtypes

    return ml_dtypes.bfloat16
