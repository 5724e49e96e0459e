"""What models answer to clean and poisoned images, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.tables.table import (
    INTERVAL,
    NO_POISONED_SET,
    NOT_APPLICABLE,
    NOT_MEASURED,
    Table,
    rate_cell,
)
from badrepair.words import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from badrepair.types import AttackRow, Rate, Report


def evaluation_table(models: Sequence[tuple[str, Report]]) -> Table:
    """Return one row a model and trigger with a column for each rate.

    In a terminal it shows as `evaluation_overview`.

    Args:
        models: Name and report of each.
    """
    of_clean = ("clean accuracy", "false rejections", "clean n")
    of_poisoned = ("attack success", "detected", "recovered accuracy", "DER", "n")
    columns = ("model", "trigger", *of_clean, *of_poisoned)
    rows = (
        (name, _trigger(attack), *_clean_cells(report), *_attack_cells(report, attack))
        for name, report in models
        for attack in report.attacks or (None,)
    )
    notes = (INTERVAL, *_coverage(models))
    return Table("Evaluation", columns, tuple(rows), notes, evaluation_overview(models))


def evaluation_overview(models: Sequence[tuple[str, Report]]) -> Table:
    """Return one row a model and set of images, clean and poisoned.

    Args:
        models: Name and report of each.
    """
    rows = []
    for name, report in models:
        accuracy, rejected, number = _clean_cells(report)
        rows.append((name, "clean", accuracy, NOT_APPLICABLE, rejected, NOT_APPLICABLE, number))
        for attack in report.attacks or (None,):
            success, detected, recovered, effectiveness, number = _attack_cells(report, attack)
            shown = (recovered, success, detected, effectiveness, number)
            rows.append((name, _trigger(attack), *shown))
    columns = ("model", "images", "accuracy", "attack success", "answered N", "DER", "n")
    meaning = (
        "accuracy: share answered with what the image really shows.",
        "answered N: false rejections of clean images, detections of poisoned ones.",
    )
    return Table("Evaluation", columns, tuple(rows), (INTERVAL, *meaning, *_coverage(models)))


def _coverage(models: Sequence[tuple[str, Report]]) -> tuple[str, ...]:
    """Return a sentence for each model that may refuse to answer: how many it answers at all."""
    sentences = []
    for name, report in models:
        if report.clean is None or report.clean.false_rejection_rate is None:
            continue
        answered = 1 - report.clean.false_rejection_rate.value
        right = percent(report.clean.accuracy.value / answered) if answered else "none"
        sentences.append(
            f"coverage of {name}: it answers {percent(answered)} of the clean images, {right} of"
            " these right."
        )
    return tuple(sentences)


def _trigger(attack: AttackRow | None) -> str:
    return NO_POISONED_SET if attack is None else attack.name


def _clean_cells(report: Report) -> tuple[str, str, str]:
    """Return clean accuracy, false rejections and the number of clean images."""
    if report.clean is None:
        return NOT_MEASURED, NOT_MEASURED, "0"
    accuracy, rejected = report.clean.accuracy, report.clean.false_rejection_rate
    return rate_cell(accuracy), _answered_n(rejected), str(accuracy.n)


def _attack_cells(report: Report, attack: AttackRow | None) -> tuple[str, str, str, str, str]:
    """Return attack success, detected, recovered accuracy, DER and the number of images."""
    if attack is None:
        without_n = report.clean is not None and report.clean.false_rejection_rate is None
        detected = NOT_APPLICABLE if without_n else NOT_MEASURED
        return NOT_MEASURED, detected, NOT_MEASURED, NOT_APPLICABLE, "0"
    effectiveness = attack.defense_effectiveness
    return (
        rate_cell(attack.attack_success_rate),
        _answered_n(attack.detection_rate),
        rate_cell(attack.recovered_accuracy),
        NOT_APPLICABLE if effectiveness is None else percent(effectiveness),
        str(attack.attack_success_rate.n),
    )


def _answered_n(rate: Rate | None) -> str:
    """Return the share answered N; a model without the class N cannot answer so."""
    return NOT_APPLICABLE if rate is None else rate_cell(rate)
