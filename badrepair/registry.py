"""Find plug-ins: a defence or an attack is its file, and nothing else names it.

Besides those of the package there are methods of the user's own: a file that is given by its
path, and what other packages declare as entry points of `badrepair.attacks` and
`badrepair.defenses`.
"""

from __future__ import annotations

import importlib
import keyword
import pkgutil
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal

import badrepair.attacks
import badrepair.defenses
from badrepair import own_methods
from badrepair.errors import OptionError
from badrepair.settings import with_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["attacks", "defenses"]
PACKAGES = {"attacks": badrepair.attacks, "defenses": badrepair.defenses}


def names(kind: Kind) -> tuple[str, ...]:
    """Return the names of all plug-ins of a kind, such as "fine-pruning", importing none."""
    modules = pkgutil.iter_modules(PACKAGES[kind].__path__)
    return tuple(sorted(module.name.replace("_", "-") for module in modules))


def load(kind: Kind, name: str, source: str | None = None) -> type:
    """Return the class of a plug-in: `FinePruning` of `fine_pruning.py` for "fine-pruning".

    Args:
        kind: What it is to be.
        name: A plug-in's name, `FILE.py` or `FILE.py:CLASS`, or an entry point's name; of
            defences, also several repairs in a row, as "fine-pruning+unlearn".
        source: Text of that file, where it is known; else it is read.

    Raises:
        InputMissingError: There is no such file.
        OptionError: There is no such plug-in; or the file, or the package, has none that can be
            used.
    """
    if own_methods.is_file_name(name):
        return own_methods.load(
            kind, name, own_methods.source_of(name) if source is None else source
        )
    if kind == "defenses" and "+" in name:
        from badrepair.mending.sequence import in_sequence  # which imports Keras

        parts = name.split("+")
        return in_sequence(name, parts, [load(kind, part) for part in parts])
    if name in names(kind):
        module = importlib.import_module(f"badrepair.{kind}.{name.replace('-', '_')}")
        found: type = getattr(module, _class_name(name))
        return found
    declared = metadata.entry_points(group=f"badrepair.{kind}")
    if name in declared.names:
        return own_methods.declared(kind, declared[name])
    known = ", ".join((*names(kind), *sorted(declared.names)))
    raise OptionError("Unknown", name, f"expected one of the {kind} {known}")


def make(
    kind: Kind, name: str, settings: Mapping[str, Any], source: str | None = None
) -> Any:  # an attack, a repair or a detector
    """Return a plug-in with plain values as settings; the others keep their defaults.

    Raises:
        InputMissingError: There is no such file.
        OptionError: There is no such plug-in or setting, or a value that cannot be; or a class of
            the user's own cannot be made.
    """
    return with_settings(load(kind, name, source), settings)


def _class_name(name: str) -> str:
    words = name.replace("-", " ").title().replace(" ", "")
    return f"{words}_" if keyword.iskeyword(words) else words
