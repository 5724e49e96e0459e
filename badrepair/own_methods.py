"""A defence or an attack of the user's own: a class in a file that is given by its path.

The file runs, with all that it may do: it is the user's own program, and no model or data file.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from pathlib import Path
from types import ModuleType

from badrepair.errors import OptionError
from badrepair.files import require_file

SUFFIX = ".py"
# What a plug-in's class offers, by the package that the plug-ins of this kind are in.
METHODS = {"attacks": ("poison",), "defenses": ("repair", "fit")}


def is_file_name(name: str) -> bool:
    """Return whether a method is named by a file, as `my_method.py` or `my_method.py:MyMethod`."""
    return name.partition(":")[0].endswith(SUFFIX)


def source_of(name: str) -> str:
    """Return the text of the file that a method's name tells.

    Raises:
        InputMissingError: There is no such file.
        OptionError: It is no text.
    """
    path = Path(name.partition(":")[0])
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
        OptionError: The file cannot be run, or has no such class.
    """
    path, _, wanted = name.partition(":")
    found = [
        each
        for each in vars(_module(path, source)).values()
        if inspect.isclass(each) and each.__module__ == _module_name(source)
    ]
    named = [each for each in found if each.__name__ == wanted or not wanted]
    fitting = [each for each in named if any(hasattr(each, method) for method in METHODS[kind])]
    if len(fitting) != 1:
        methods = " or ".join(METHODS[kind])
        what = f"a class {wanted}" if wanted else "one class"
        problem = f"expected {what} with the method {methods}, found {len(fitting)}"
        raise OptionError("MethodInvalid", path, problem, f"give {path}:CLASS" * (not wanted))
    return fitting[0]


def _module_name(source: str) -> str:
    return f"badrepair_method_{hashlib.sha256(source.encode()).hexdigest()[:16]}"


def _module(path: str, source: str) -> ModuleType:
    """Return the module of a text, run once in a process."""
    name = _module_name(source)
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module  # dataclasses look there for the types of their fields
    try:
        exec(compile(source, path, "exec"), vars(module))  # noqa: S102 - asked for by the user
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        problem = f"cannot be run: {type(error).__name__}: {error}"
        raise OptionError("MethodInvalid", path, problem) from error
    return module
