"""A defence or an attack of the user's own: a class in a file, or one that a package declares.

The file runs, with all that it may do: it is the user's own program, and no model or data file.
Whatever is wrong with it is told in one line that names it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from badrepair.blaming import FILE_MODULE, blaming
from badrepair.errors import OptionError
from badrepair.files import require_file
from badrepair.settings import Setting, settings_of

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# What a plug-in's class offers, by the package that the plug-ins of this kind are in.
METHODS = {"attacks": ("poison",), "defenses": ("repair", "fit")}
# The settings that badrepair itself gives to a plug-in, and what each may be if nothing is said.
GIVEN: dict[str, dict[str, Any]] = {
    "attacks": {"poison_rate": 0.1, "seed": 0},
    "defenses": {"seed": 0},
}
# The path can hold colons as well.
_FILE_NAME = re.compile(r"(?P<path>.*\.py)(?::(?P<wanted>.*))?", re.DOTALL)


def is_file_name(name: str) -> bool:
    """Return whether a method is named by a file, as `my_method.py` or `my_method.py:MyMethod`."""
    return _FILE_NAME.fullmatch(name) is not None


def own_source(name: str) -> str | None:
    """Return the text of the file that a method's name tells; None for one that goes by name.

    Raises:
        InputMissingError: There is no such file.
        OptionError: It is no text.
    """
    return source_of(name) if is_file_name(name) else None


def source_of(name: str) -> str:
    """Return the text of the file that a method's name tells.

    Raises:
        InputMissingError: There is no such file.
        OptionError: It is no text.
    """
    path = Path(_parts(name)[0])
    try:
        return require_file(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise OptionError("MethodInvalid", path, "expected Python, found no text") from error


def load(kind: str, name: str, source: str) -> type:
    """Return the class of a method of the user's own.

    Args:
        kind: "attacks" or "defenses".
        name: `FILE.py`, which holds one such class, or `FILE.py:CLASS`.
        source: The file's text.

    Raises:
        OptionError: The file cannot be run, or has no such class, or that is none that can be
            made with settings.
    """
    path, wanted = _parts(name)
    found = {  # a class with two names is one class
        each: None
        for each in vars(_module(path, source)).values()
        if inspect.isclass(each) and each.__module__ == _module_name(path, source)
    }
    named = [each for each in found if each.__name__ == wanted or not wanted]
    fitting = [each for each in named if _offers(each, kind)]
    if len(fitting) != 1:
        what = f"a class {wanted}" if wanted else "one class"
        problem = f"expected {what} with the method {_methods(kind)}, found {len(fitting)}"
        raise OptionError("MethodInvalid", path, problem, f"give {path}:CLASS" * (not wanted))
    _require_settings(kind, path, fitting[0])
    return fitting[0]


def declared(kind: str, entry: EntryPoint) -> type:
    """Return the class of a method that another package declares.

    Args:
        kind: "attacks" or "defenses".
        entry: The declaration.

    Raises:
        OptionError: It cannot be imported, or is no class that can be made with settings.
    """
    place = f"{entry.name} ({entry.value})"
    with blaming(place, "cannot be imported: "):
        found = entry.load()
    if not inspect.isclass(found) or not _offers(found, kind):
        problem = f"expected a class with the method {_methods(kind)}, found {found!r:.60}"
        raise OptionError("MethodInvalid", place, problem)
    _require_settings(kind, place, found)
    return found


def _parts(name: str) -> tuple[str, str]:
    """Return the path of a file, and the class that is wanted of it, empty if none is named."""
    found = _FILE_NAME.fullmatch(name)
    return (found["path"], found["wanted"] or "") if found else (name, "")


def _methods(kind: str) -> str:
    return " or ".join(METHODS[kind])


def _offers(plug_in: type, kind: str) -> bool:
    return any(hasattr(plug_in, method) for method in METHODS[kind])


def _require_settings(kind: str, place: str, plug_in: type) -> None:
    """Refuse a class that cannot be made with nothing said, or with what badrepair gives it."""
    with blaming(place):
        settings = settings_of(plug_in)
    for field in dataclasses.fields(plug_in):
        if field.init and field.default is field.default_factory:  # both are MISSING
            problem = f"every setting needs a default, {field.name} of {plug_in.__name__} has none"
            raise OptionError("MethodInvalid", place, problem)
    for setting in settings:
        _require_default(place, setting)
    known = {setting.name: setting.kind for setting in settings if not setting.repeated}
    for name, usual in GIVEN[kind].items():
        if known.get(name) is not type(usual):
            fields = ", ".join(field.name for field in dataclasses.fields(plug_in)) or "none"
            typed = f"{name}: {type(usual).__name__}"
            problem = f"expected a field {typed} in {plug_in.__name__}, found the fields {fields}"
            raise OptionError("MethodInvalid", place, problem, f"add {typed} = {usual}")


def _require_default(place: str, setting: Setting) -> None:
    try:
        setting.read(setting.default)
    except OptionError as error:
        problem = f"the default of {setting.name}: {error.problem}"
        raise OptionError("MethodInvalid", place, problem) from error


def _module_name(path: str, source: str) -> str:
    return FILE_MODULE + hashlib.sha256(f"{path}\0{source}".encode()).hexdigest()[:16]


def _module(path: str, source: str) -> ModuleType:
    """Return the module of a text, run once in a process."""
    name = _module_name(path, source)
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module  # dataclasses look there for the types of their fields
    try:
        with blaming(path, "cannot be run: "):
            exec(compile(source, path, "exec"), vars(module))  # noqa: S102 - asked for by the user
    except BaseException:
        del sys.modules[name]
        raise
    return module
