"""Take from a description what Keras 2 wrapped in classes of its own, and how it was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from badrepair.confinement.finding import Finding
from badrepair.models.gate.allowed import CODE
from badrepair.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

# JSON from a file can be anything, hence Any.

# How a network was compiled, with names of optimizers, losses and metrics that are looked up.
TRAINING_KEYS = frozenset({"compile_config", "training_config"})


def plain(value: Any) -> Any:
    """Return parsed JSON without how it was trained, and with Keras 2's tuples as lists."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") in ("__tuple__", "TensorShape") and "items" in value:
        return plain(value["items"])
    if value.keys() == {"type", "value"}:
        return plain(value["value"])
    return {key: plain(item) for key, item in value.items() if key not in TRAINING_KEYS}


def training_faults(value: Any, path: str = "config") -> Iterator[Finding]:
    """Yield what Keras would look up or run while it reads how a network was trained.

    We never read it, so that these are warnings.
    """
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from training_faults(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            inside = _foreign if key in TRAINING_KEYS else training_faults
            yield from inside(item, f"{path}.{printable(key)[:80]}")


def _foreign(value: Any, path: str) -> Iterator[Finding]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _foreign(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        name, module = value.get("class_name"), value.get("module")
        registered = value.get("registered_name")
        if name in CODE or not _is_of_keras(module) or ">" in str(registered):
            shown = printable(f"{module}.{name}" if module else str(name))[:80]
            problem = f"it names {shown}, which Keras would look up or run"
            hint = "badrepair never reads how a network was trained"
            yield Finding(
                "CodeInTraining", "the training configuration", problem, hint, path, "warning"
            )
        for key, item in value.items():
            yield from _foreign(item, f"{path}.{printable(key)[:80]}")


def _is_of_keras(module: Any) -> bool:
    return module is None or str(module).split(".")[0] in {"keras", "builtins"}
