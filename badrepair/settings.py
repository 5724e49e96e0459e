"""The settings of a plug-in, read from its class: name, type, default, and what it says of each.

The command makes options of them, and the bench reads them from a file.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
import typing
from collections.abc import Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from badrepair.blaming import blaming, place_of
from badrepair.errors import OptionError

PLAIN = (bool, int, float, str, Path)
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
# What holds the values of a setting with several, by what its annotation says.
_HOLDERS: dict[Any, type[list[Any]] | type[tuple[Any, ...]]] = {
    Sequence: tuple,
    tuple: tuple,
    list: list,
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One field of a plug-in's dataclass.

    Args:
        name: The field's name.
        kind: Type of its value, or of each of its values.
        choices: The values that it can have, empty where all of the type can be.
        holder: What holds its values, list or tuple; None if it has a single one.
        optional: Whether it can be None.
        default: What it is if nothing is said; MISSING if something must be.
        explanation: Its line in the class's `Args:`.
    """

    name: str
    kind: type
    choices: tuple[Any, ...]
    holder: type[list[Any]] | type[tuple[Any, ...]] | None
    optional: bool
    default: Any
    explanation: str

    @property
    def repeated(self) -> bool:
        """Return whether it holds several values."""
        return self.holder is not None

    @property
    def option(self) -> str:
        """Return the name of its option, such as `--max-drop`."""
        return "--" + self.name.replace("_", "-")

    def read(self, value: object) -> Any:
        """Return a plain value, as TOML and JSON know it, as the field takes it.

        Raises:
            OptionError: OptionInvalid, if it is of another type or none of the choices.
        """
        if value is None and self.optional:
            return None
        if self.holder is None:
            return self._one(value)
        several = value if isinstance(value, list | tuple) else [value]
        return self.holder(self._one(each) for each in several)

    def _one(self, value: object) -> Any:
        if self.choices:
            return self._chosen(value)
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if self.kind is Path and isinstance(value, Path):
            value = str(value)
        plain_kind = str if self.kind is Path else self.kind
        if type(value) is not plain_kind:
            raise self._refusal(_WORDS[plain_kind], value)
        return self.kind(value)

    def _chosen(self, value: object) -> Any:
        for each in self.choices:
            if each == value and isinstance(each, bool) == isinstance(value, bool):
                return each
        raise self._refusal(f"one of {', '.join(map(str, self.choices))}", value)

    def _refusal(self, expected: str, value: object) -> OptionError:
        return OptionError(
            "OptionInvalid", self.option, f"expected {expected}, found {value!r:.60}"
        )


def settings_of(plug_in: type) -> tuple[Setting, ...]:
    """Return the settings of a plug-in that are plain values, in the order of its fields.

    Raises:
        OptionError: MethodInvalid: the class is no dataclass.
    """
    if not dataclasses.is_dataclass(plug_in):
        name = plug_in.__name__
        problem = f"expected a dataclass, whose fields are its settings, found the class {name}"
        raise OptionError("MethodInvalid", place_of(plug_in) or name, problem)
    said: dict[str, str] = {}
    for each in reversed(plug_in.__mro__):
        said |= explanations(each)
    found = [_setting(plug_in, each, said) for each in dataclasses.fields(plug_in) if each.init]
    return tuple(setting for setting in found if setting is not None)


def with_settings(plug_in: type, values: typing.Mapping[str, Any]) -> Any:
    """Return an object of the class with some of its settings.

    Args:
        plug_in: The class of a plug-in.
        values: Plain values by setting; the others keep their defaults.

    Raises:
        OptionError: A setting that there is not, or a value that it cannot have; MethodInvalid:
            a class of the user's own raises another exception.
    """
    known = {setting.name: setting for setting in settings_of(plug_in)}
    for name in values:
        if name not in known:
            problem = f"{plug_in.__name__} has no such setting, it has {', '.join(known)}"
            raise OptionError("Unknown", name, problem)
    read = {name: known[name].read(value) for name, value in values.items()}
    with blaming(place_of(plug_in)):
        return plug_in(**read)


def plain(value: Any) -> Any:
    """Return the value of a setting (Any: of any type) as JSON knows it."""
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def explanations(plug_in: type) -> dict[str, str]:
    """Return what the `Args:` of a class say, by name, each in one line."""
    _, _, arguments = inspect.cleandoc(plug_in.__doc__ or "").partition("Args:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {5,}\S.*)*)", arguments, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _annotation(plug_in: type, field: dataclasses.Field[Any]) -> Any:
    """Return a field's type; None where only a type checker knows it."""
    if not isinstance(field.type, str):
        return field.type
    # A field of a base class is annotated with what its own module knows.
    owners = (each for each in plug_in.__mro__ if field.name in inspect.get_annotations(each))
    module = sys.modules.get(next(owners, plug_in).__module__)
    # Fields may be annotated with what is imported for type checkers only.
    namespace = {"Sequence": Sequence, "Path": Path, **getattr(module, "__dict__", {})}
    try:
        return eval(field.type, namespace)  # noqa: S307 - what stands in the class itself
    except NameError:
        return None


def _setting(plug_in: type, field: dataclasses.Field[Any], said: dict[str, str]) -> Setting | None:
    annotation, optional = _without_none(_annotation(plug_in, field))
    kind, holder = _without_holder(annotation)
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    kinds = [type(each) for each in choices if each is not None] or [kind]
    if not all(each in PLAIN for each in kinds):
        return None
    return Setting(
        name=field.name,
        kind=kinds[0],
        choices=tuple(each for each in choices if each is not None),
        holder=holder,
        optional=optional or None in choices,
        default=_default(field),
        explanation=said.get(field.name, ""),
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Return the type in `X | None`, and whether None was there."""
    if get_origin(annotation) not in {Union, types.UnionType}:
        return annotation, False
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    optional = len(kinds) < len(get_args(annotation))
    return (kinds[0], optional) if len(kinds) == 1 else (None, optional)


def _without_holder(annotation: Any) -> tuple[Any, Any]:
    """Return the type of the values in a list, and what holds them."""
    holder = _HOLDERS.get(get_origin(annotation))
    if holder is None:
        return annotation, None
    kinds = {kind for kind in get_args(annotation) if kind is not Ellipsis}
    return (kinds.pop() if len(kinds) == 1 else None), holder
