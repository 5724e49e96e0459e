"""badrepair: repair a backdoored Keras image classifier, guard it, and prove it.

The public names are loaded when they are first used, so that `import badrepair` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from badrepair.defenses.fine_pruning import FinePruning
    from badrepair.defenses.strip import Strip
    from badrepair.evaluation import evaluate, evaluate_detector
    from badrepair.models.load import load_model
    from badrepair.models.save import write_model
    from badrepair.opening import load_data
    from badrepair.types import Dataset

__version__ = "0.1.0"

__all__ = [
    "Dataset",
    "FinePruning",
    "Strip",
    "evaluate",
    "evaluate_detector",
    "load_data",
    "load_model",
    "write_model",
]

_HOMES = {
    "Dataset": "badrepair.types",
    "FinePruning": "badrepair.defenses.fine_pruning",
    "Strip": "badrepair.defenses.strip",
    "evaluate": "badrepair.evaluation",
    "evaluate_detector": "badrepair.evaluation",
    "load_data": "badrepair.opening",
    "load_model": "badrepair.models.load",
    "write_model": "badrepair.models.save",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'badrepair' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
