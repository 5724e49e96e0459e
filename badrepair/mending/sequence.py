"""Several repairs one after the other, within one budget of time and of clean accuracy."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from badrepair.errors import OptionError
from badrepair.mending.deadline import Deadline
from badrepair.mending.settings import Budget
from badrepair.types import Dataset, RepairResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import keras


@dataclass(frozen=True, kw_only=True)
class InSequence(Budget):
    """Repair with one method, and what comes of it with the next.

    What one has taken of the budget of clean accuracy the next may not take again; of the time
    that is left, each has an equal part.
    """

    names: ClassVar[tuple[str, ...]]
    kinds: ClassVar[tuple[type, ...]]

    def repair(self, model: keras.Model, clean: Dataset) -> RepairResult:
        """Return a repaired copy; the model passed in is left untouched."""
        deadline = Deadline(minutes=self.minutes)
        left, network = self.max_drop, model
        stages: dict[str, keras.Model] = {}
        choices: dict[str, Any] = {}
        curve: list[Mapping[str, float]] = []
        for number, (name, kind) in enumerate(zip(self.names, self.kinds, strict=True)):
            share = max(0.0, deadline.left) / (len(self.kinds) - number)
            result = self._made(kind, max_drop=left, minutes=share).repair(network, clean)
            network = result.model
            stages[name], choices[name] = network, dict(result.choices)
            curve += result.curve
            left = max(0.0, left - _spent(result.choices))
        why = "; then ".join(
            f"{name}: {one.get('why', 'no reason')}" for name, one in choices.items()
        )
        return RepairResult(
            model=network,
            stages=stages,
            curve=tuple(curve),
            choices={"parts": choices, "why": why, "max_drop": self.max_drop},
        )

    def _made(self, kind: type, **shared: Any) -> Any:
        """Return one of the repairs with the settings that it shares with the others."""
        known = {field.name for field in dataclasses.fields(kind)}
        settings = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        settings |= {**shared, "minutes": max(shared["minutes"], 1e-3)}
        return kind(**{name: value for name, value in settings.items() if name in known})


def in_sequence(name: str, names: Sequence[str], kinds: Sequence[type]) -> type:
    """Return the class of repairs in a row.

    Args:
        name: Of the whole, as "unlearn+ft-sam".
        names: Of the parts.
        kinds: Their classes.

    Raises:
        OptionError: One of them is no repair.
    """
    for part, kind in zip(names, kinds, strict=True):
        if not hasattr(kind, "repair"):
            problem = f"expected repairs with + between, found {part}, which repairs nothing"
            raise OptionError("MethodInvalid", name, problem)
    made: type = dataclass(frozen=True, kw_only=True)(
        type("InSequence", (InSequence,), {"names": tuple(names), "kinds": tuple(kinds)})
    )
    made.__module__, made.__doc__ = __name__, InSequence.__doc__
    return made


def _spent(choices: Mapping[str, Any]) -> float:
    """Return how much clean accuracy a repair has lost on its held-out images."""
    before, chosen = choices.get("baseline_accuracy"), choices.get("chosen")
    if before is None or not chosen:
        return 0.0
    return max(0.0, float(before) - float(chosen["accuracy"]))
