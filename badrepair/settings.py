"""The settings of a plug-in, read from its class: name, type, default, and what it says of each.

The command makes options of them, and the bench reads them from a file.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from badrepair.errors import OptionError

PLAIN = (bool, int, float, str, Path)
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One field of a plug-in's dataclass.

    Args:
        name: The field's name.
        kind: Type of its value, or of each of its values.
        choices: The values that it can have, empty where all of the type can be.
        repeated: Whether it holds several values.
        optional: Whether it can be None.
        default: What it is if nothing is said.
        explanation: Its line in the class's `Args:`.
    """

    name: str
    kind: type
    choices: tuple[str, ...]
    repeated: bool
    optional: bool
    default: Any
    explanation: str

    @property
    def option(self) -> str:
        """Return the name of its option, such as `--max-drop`."""
        return "--" + self.name.replace("_", "-")

    def read(self, value: object) -> Any:
        """Return a plain value, as TOML and JSON know it, as the field takes it.

        Raises:
            OptionError: OptionInvalid, if it is of another type or none of the choices.
        """
        if self.repeated:
            several = value if isinstance(value, list | tuple) else [value]
            return tuple(self._one(each) for each in several)
        if value is None and self.optional:
            return None
        return self._one(value)

    def _one(self, value: object) -> Any:
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        plain = str if self.kind is Path else self.kind
        if type(value) is not plain or (self.choices and value not in self.choices):
            expected = f"one of {', '.join(self.choices)}" if self.choices else _WORDS[plain]
            problem = f"expected {expected}, found {value!r:.60}"
            raise OptionError("OptionInvalid", self.option, problem)
        return self.kind(value)


def settings_of(plug_in: type) -> tuple[Setting, ...]:
    """Return the settings of a plug-in that are plain values, in the order of its fields.

    Raises:
        OptionError: MethodInvalid: the class is no dataclass.
    """
    if not dataclasses.is_dataclass(plug_in):
        problem = "expected a dataclass, whose fields are its settings, found another class"
        raise OptionError("MethodInvalid", plug_in.__name__, problem)
    # Fields may be annotated with what is imported for type checkers only.
    known = {"Sequence": Sequence, "Path": Path}
    said = explanations(plug_in)
    return tuple(
        setting
        for field in dataclasses.fields(plug_in)
        if (setting := _setting(field, _annotation(plug_in, field, known), said)) is not None
    )


def with_settings(plug_in: type, values: typing.Mapping[str, Any]) -> Any:
    """Return an object of the class with some of its settings.

    Args:
        plug_in: The class of a plug-in.
        values: Plain values by setting; the others keep their defaults.

    Raises:
        OptionError: A setting that there is not, or a value that it cannot have.
    """
    known = {setting.name: setting for setting in settings_of(plug_in)}
    for name in values:
        if name not in known:
            problem = f"{plug_in.__name__} has no such setting, it has {', '.join(known)}"
            raise OptionError("Unknown", name, problem)
    return plug_in(**{name: known[name].read(value) for name, value in values.items()})


def explanations(plug_in: type) -> dict[str, str]:
    """Return what the `Args:` of a class say, by name, each in one line."""
    _, _, arguments = inspect.cleandoc(plug_in.__doc__ or "").partition("Args:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {5,}\S.*)*)", arguments, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _annotation(plug_in: type, field: dataclasses.Field[Any], known: dict[str, Any]) -> Any:
    """Return a field's type; None where only a type checker knows it."""
    if not isinstance(field.type, str):
        return field.type
    namespace = {**known, **vars(inspect.getmodule(plug_in))}
    try:
        return eval(field.type, namespace)  # noqa: S307 - what stands in the class itself
    except NameError:
        return None


def _setting(
    field: dataclasses.Field[Any], annotation: Any, said: dict[str, str]
) -> Setting | None:
    kind, optional = _without_none(annotation)
    repeated = get_origin(kind) in {Sequence, tuple}
    if repeated:
        kind = get_args(kind)[0]
    choices = tuple(map(str, get_args(kind))) if get_origin(kind) is Literal else ()
    if choices:
        kind = str
    if kind not in PLAIN:
        return None
    return Setting(
        name=field.name,
        kind=kind,
        choices=choices,
        repeated=repeated,
        optional=optional,
        default=field.default,
        explanation=said.get(field.name, ""),
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Return the type in `X | None`, and whether None was there."""
    if get_origin(annotation) not in {Union, types.UnionType}:
        return annotation, False
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    optional = len(kinds) < len(get_args(annotation))
    return (kinds[0], optional) if len(kinds) == 1 else (None, optional)
