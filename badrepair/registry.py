"""Find plug-ins: a defence or an attack is its file, and nothing else names it."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Literal

import badrepair.attacks
import badrepair.defenses
from badrepair.errors import OptionError

Kind = Literal["attacks", "defenses"]
PACKAGES = {"attacks": badrepair.attacks, "defenses": badrepair.defenses}


def names(kind: Kind) -> tuple[str, ...]:
    """Return the names of all plug-ins of a kind, such as "fine-pruning", importing none."""
    modules = pkgutil.iter_modules(PACKAGES[kind].__path__)
    return tuple(sorted(module.name.replace("_", "-") for module in modules))


def load(kind: Kind, name: str) -> type:
    """Return the class of a plug-in: `FinePruning` of `fine_pruning.py` for "fine-pruning"."""
    if name not in names(kind):
        known = ", ".join(names(kind))
        raise OptionError("Unknown", name, f"expected one of the {kind} {known}")
    module = importlib.import_module(f"badrepair.{kind}.{name.replace('-', '_')}")
    found: type = getattr(module, name.replace("-", " ").title().replace(" ", ""))
    return found
