"""Tie a detector to the network that it was made for: by the SHA-256 of the network's files."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from badrepair.data.ranges import ModelRange
from badrepair.errors import ModelError
from badrepair.files import require_file, sha256
from badrepair.models import architectures

if TYPE_CHECKING:
    from collections.abc import Callable

    from badrepair.data.pictures import Color

COLORS = ("rgb", "bgr")
MOST_CLASSES = 10**6
# What Linux takes as a path, written with an escape for every byte.
LONGEST_TEXT = 6 * 4096
_DIGEST = re.compile("[0-9a-f]{64}")
_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class ModelIdentity:
    """What a network was read from.

    Args:
        model: SHA-256 of the model's file, in hexadecimal.
        weights: SHA-256 of the file that the weights are of instead; empty if there is none.
        arch: SHA-256 of the file that the layers are of instead, or the name of a built-in
            network; empty if there is none.
    """

    model: str
    weights: str = ""
    arch: str = ""

    @classmethod
    def of_files(
        cls, model: Path, *, weights: Path | None = None, arch: str | None = None
    ) -> ModelIdentity:
        """Return the identity of what `load_model` reads from these files."""
        return cls(
            model=sha256(require_file(model)),
            weights="" if weights is None else sha256(require_file(weights)),
            arch=_arch(arch, lambda path: sha256(require_file(path))),
        )

    def require(self, found: ModelIdentity) -> None:
        """Refuse a network that is another one.

        Raises:
            ModelError: OtherModel, with the option that names the file.
        """
        for role in (field.name for field in fields(self)):
            here, there = (_shown(getattr(one, role)) for one in (self, found))
            if getattr(self, role) != getattr(found, role):
                problem = f"the detector was made for {here}, found {there}"
                hint = f"--{role} FILE names the one it was made for"
                if not getattr(self, role):
                    hint = f"leave out --{role}"
                raise ModelError("OtherModel", f"--{role}", problem, hint)


@dataclass(frozen=True, kw_only=True)
class Binding:
    """The network that a detector was made for, and what it takes.

    Args:
        identity: What the network is known by.
        model: Path where its file was, to look for it there.
        weights: The same of the file of its weights; empty if there is none.
        arch: The same of the file of its layers, or a built-in network's name; likewise.
        input_range: Pixel values that the network takes.
        classes: Number of its classes.
        color: Order of the channels in the files of the images that calibrated.
    """

    identity: ModelIdentity
    model: str
    weights: str = ""
    arch: str = ""
    input_range: ModelRange
    classes: int
    color: Color = "rgb"

    @classmethod
    def of_files(
        cls,
        model: Path,
        *,
        weights: Path | None = None,
        arch: str | None = None,
        input_range: ModelRange,
        classes: int,
        color: Color = "rgb",
    ) -> Binding:
        """Return the binding to the network that `load_model` reads from these files."""
        return cls(
            identity=ModelIdentity.of_files(model, weights=weights, arch=arch),
            model=os.path.abspath(model),
            weights="" if weights is None else os.path.abspath(weights),
            arch=_arch(arch, os.path.abspath),
            input_range=input_range,
            classes=classes,
            color=color,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the binding as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Binding:
        """Return the binding that plain values describe.

        Raises:
            ValueError: They describe none.
        """
        texts = _texts(value, "model", "weights", "arch", "input_range", "color")
        classes = value.get("classes") if isinstance(value, dict) else None
        if texts["input_range"] not in get_args(ModelRange) or texts["color"] not in COLORS:
            raise ValueError("an unknown pixel range or order of channels")
        if type(classes) is not int or not 2 <= classes <= MOST_CLASSES:
            raise ValueError("a number of classes that no network has")
        identity = _identity(value["identity"] if isinstance(value, dict) else None)
        return cls(identity=identity, classes=classes, **texts)


def _identity(value: object) -> ModelIdentity:
    texts = _texts(value, "model", "weights", "arch")
    is_known = {name: bool(_DIGEST.fullmatch(text)) or not text for name, text in texts.items()}
    if not texts["model"] or not is_known["model"] or not is_known["weights"]:
        raise ValueError("a digest that is no SHA-256")
    if not is_known["arch"] and not _is_built_in(texts["arch"]):
        raise ValueError("an architecture that is neither a SHA-256 nor built in")
    return ModelIdentity(**texts)


def _texts(value: object, *keys: str) -> dict[str, Any]:
    """Return the texts under keys of an object."""
    found = {key: value.get(key) for key in keys} if isinstance(value, dict) else {}
    if not found or not all(isinstance(text, str) for text in found.values()):
        raise ValueError("a binding that is not complete")
    if any(len(str(text)) > LONGEST_TEXT for text in found.values()):
        raise ValueError("a binding with a text that is too long")
    return found


def _arch(arch: str | None, of_file: Callable[[Path], str]) -> str:
    return arch or "" if not arch or _is_built_in(arch) else of_file(Path(arch))


def _is_built_in(arch: str) -> bool:
    return arch in architectures.names()


def _shown(digest: str) -> str:
    """Return how a file is called in one line."""
    if not digest:
        return "none"
    return f"SHA-256 {digest[:_SHOWN]}…" if _DIGEST.fullmatch(digest) else digest
