"""Choose the strength of a repair by clean images alone.

A candidate is good if held-out clean images are still answered rightly, and if stand-ins for the
unknown trigger no longer work: held-out accuracy minus the success of the probe that works best,
among those that keep within the budget of clean accuracy. Held-out images are few, so that a
candidate is out only if it loses more than the budget by more than one standard error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair.budgets import ROUNDING
from badrepair.models.surgery import copy_model
from badrepair.words import counted, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import keras
    from numpy.typing import NDArray

    from badrepair.mending.case import Case
    from badrepair.mending.probes import Probes

# Success of stand-ins for the trigger that is common in networks without a backdoor.
QUIET = 0.3

Strength = dict[str, float | int | str]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A network that a repair might come to.

    Args:
        network: Takes and answers what the network before the repair does. It may be changed as
            soon as the next candidate is asked for.
        strength: What sets it apart from other candidates, as {"epoch": 3}.
        complete: Whether stronger candidates follow that are of no use if stand-ins for the
            trigger have stopped working.
    """

    network: keras.Model
    strength: Strength
    complete: bool = False


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What clean images say of a candidate.

    Args:
        strength: The candidate's.
        accuracy: Share of held-out clean images answered rightly, in [0, 1].
        error: Standard error of its difference to the accuracy before the repair, on the same
            images, in [0, 1].
        probe_success: How often the probe that works best works, in [0, 1].
    """

    strength: Mapping[str, float | int | str]
    accuracy: float
    error: float
    probe_success: float

    @property
    def score(self) -> float:
        """Return what candidates are compared by, in [-1, 1]."""
        return self.accuracy - self.probe_success

    def row(self) -> dict[str, float | int | str]:
        """Return it as plain values."""
        return {
            **self.strength,
            "accuracy": self.accuracy,
            "error": self.error,
            "probe_success": self.probe_success,
            "score": self.score,
        }


@dataclass(kw_only=True)
class Choice:
    """The best candidate so far.

    Args:
        before: The network as it was.
        max_drop: Clean accuracy that may be lost, in [0, 1].
    """

    before: Scored
    max_drop: float
    network: keras.Model | None = None
    best: Scored | None = None
    scored: list[Scored] = field(default_factory=list)
    in_time: bool = True

    def weigh(self, candidate: Candidate, scored: Scored) -> None:
        """Take a candidate if it is the best so far."""
        self.scored.append(scored)
        lost = self.before.accuracy - scored.accuracy
        within = lost <= self.max_drop + scored.error + ROUNDING
        if within and (self.best is None or scored.score > self.best.score + ROUNDING):
            self.best, self.network = scored, copy_model(candidate.network)

    @property
    def is_quiet(self) -> bool:
        """Return whether stand-ins for the trigger hardly work any more with the best so far."""
        return self.best is not None and self.best.probe_success <= QUIET

    def choices(self) -> dict[str, Any]:
        """Return what was chosen and why, as a record keeps it."""
        return {
            "baseline_accuracy": self.before.accuracy,
            "probe_success_before": self.before.probe_success,
            "candidates": [one.row() for one in self.scored],
            "chosen": None if self.best is None else self.best.row(),
            "in_time": self.in_time,
            "why": self.why(),
        }

    def why(self) -> str:
        """Return the choice in one sentence."""
        tried = counted(len(self.scored), "candidate")
        late = "" if self.in_time else "; the time was over before all were tried"
        if self.best is None:
            return (
                f"none of {tried} keeps the held-out clean accuracy of"
                f" {percent(self.before.accuracy)} within {percent(self.max_drop)} and a standard"
                f" error: the network is as it was{late}"
            )
        strength = ", ".join(
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in self.best.strength.items()
        )
        return (
            f"{strength}, the best of {tried}: {percent(self.best.accuracy)} of the held-out clean"
            f" images right (before: {percent(self.before.accuracy)}), stand-ins for the trigger"
            f" work on {percent(self.best.probe_success)}"
            f" (before: {percent(self.before.probe_success)}){late}"
        )


def choose(
    case: Case, probes: Probes, candidates: Iterable[Candidate], *, max_drop: float
) -> Choice:
    """Return the best of the candidates that keep within the budget.

    Args:
        case: Whose held-out images choose.
        probes: Stand-ins for the trigger, made on the network as it was.
        candidates: As many as the deadline allows are asked for, at least one.
        max_drop: Clean accuracy that may be lost, in [0, 1].
    """
    before = Scored(
        strength={},
        accuracy=case.baseline,
        error=0.0,
        probe_success=probes.success(case.before),
    )
    choice = Choice(before=before, max_drop=max_drop)
    for candidate in candidates:
        right = case.right(candidate.network)
        scored = Scored(
            strength=candidate.strength,
            accuracy=float(right.mean()),
            error=standard_error(case.right_before, right),
            probe_success=probes.success(candidate.network),
        )
        choice.weigh(candidate, scored)
        if candidate.complete and choice.is_quiet:
            break
        if case.deadline.passed:
            choice.in_time = False
            break
    return choice


def standard_error(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    """Return the standard error of the difference of two accuracies on the same images.

    Only images that are right in one and wrong in the other tell them apart, as in McNemar's test.
    """
    changes = before.astype(float) - after.astype(float)
    return float(changes.std() / np.sqrt(len(changes)))
