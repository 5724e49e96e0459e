"""What a cell comes to, as numbers of its own: one a measure, however many triggers there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from badrepair.bench.line import After, Before, Line
    from badrepair.types import Estimate, Rate

Name = Literal[
    "accuracy",
    "accuracy_fall",
    "attack_success_rate",
    "recovered_accuracy",
    "defense_effectiveness",
    "false_rejection_rate",
    "detection_rate",
    "auroc",
    "true_positive_rate_at_1",
    "true_positive_rate_at_5",
    "false_acceptance_rate",
]
NAMES: tuple[Name, ...] = get_args(Name)
# Of these a high value is the bad one.
HIGH_IS_BAD: frozenset[Name] = frozenset(
    ("accuracy_fall", "attack_success_rate", "false_rejection_rate", "false_acceptance_rate")
)


def outcome(line: Line) -> Mapping[Name, float]:
    """Return the numbers of a cell by measure; what was not measured, or failed, is left out.

    Of several triggers in one network the worst counts, measure by measure: an attacker needs
    but one that works.
    """
    before, after = line.before, line.after
    if before is None or after is None:
        return {}
    detection = line.detection
    seen = detection.attacks if detection else ()
    rejected = detection.false_rejection_rate if detection else None
    found: dict[Name, float | None] = {
        "accuracy": after.accuracy.value,
        "accuracy_fall": before.accuracy.value - after.accuracy.value,
        "attack_success_rate": _highest(one.attack_success_rate for one in after.attacks),
        "recovered_accuracy": _lowest(one.recovered_accuracy for one in after.attacks),
        "defense_effectiveness": min(_ratings(after), default=None),
        "false_rejection_rate": _lowest([rejected or after.false_rejection_rate]),
        "detection_rate": _lowest(one.detection_rate for one in after.attacks),
        "auroc": _lowest(one.auroc for one in seen),
        "true_positive_rate_at_1": _lowest(one.true_positive_rate_at_1 for one in seen),
        "true_positive_rate_at_5": _lowest(one.true_positive_rate_at_5 for one in seen),
        "false_acceptance_rate": _highest(one.false_acceptance_rate for one in seen),
    }
    return {name: value for name, value in found.items() if value is not None}


def undefended_success(before: Before | None) -> float | None:
    """Return the attack success on a network as it is, of its best trigger; None if unknown."""
    return None if before is None else _highest(one.attack_success_rate for one in before.attacks)


def undefended_accuracy(before: Before | None) -> float | None:
    """Return the clean accuracy of a network as it is; None if unknown."""
    return None if before is None else before.accuracy.value


def _ratings(after: After) -> list[float]:
    ratings = (one.defense_effectiveness for one in after.attacks)
    return [rating for rating in ratings if rating is not None]


def _lowest(found: Iterable[Rate | Estimate | None]) -> float | None:
    return min((one.value for one in found if one is not None), default=None)


def _highest(found: Iterable[Rate | Estimate | None]) -> float | None:
    return max((one.value for one in found if one is not None), default=None)
