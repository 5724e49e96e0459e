"""Measure a model: clean accuracy, attack success, rejections, all with n and interval."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from badrepair import metrics
from badrepair.errors import DataError
from badrepair.models import inference
from badrepair.models.guards import is_guard, passes_an_input
from badrepair.types import DetectionReport, Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

    from badrepair.types import Dataset, FittedDetector, Labels


def problem_classes(model: keras.Model, classes: int | None = None) -> int:
    """Return the number of classes of the problem, N.

    Args:
        model: Has N outputs, or N+1 if it can answer "poisoned".
        classes: N, where it is known; else our own guards tell it and other networks have N
            outputs.

    Raises:
        DataError: The network has neither N nor N+1 outputs.
    """
    outputs = int(model.output_shape[-1])
    if classes is None:
        return outputs - 1 if is_guard(model) else outputs
    if outputs not in (classes, classes + 1):
        raise DataError(
            "ClassesMismatch",
            model.name,
            f"expected {classes} outputs, or {classes + 1} with one that means poisoned,"
            f" found {outputs}",
            "compare models of one problem only, or give --classes",
        )
    return classes


def evaluate(
    model: keras.Model,
    clean: Dataset | None = None,
    poisoned: Sequence[Dataset] = (),
    *,
    baseline: Report | None = None,
    classes: int | None = None,
    batch_size: int = inference.BATCH,
) -> Report:
    """Return how a model answers clean and poisoned images.

    Args:
        model: N or N+1 outputs; output N means "this input is poisoned".
        clean: Test images that chose nothing.
        poisoned: One set a trigger; labels are the attacker's targets. Images whose true label
            is the target do not count where true labels are known.
        baseline: The unrepaired model's report on the same sets, for the DER.
        classes: Number of classes of the problem, N, if the model does not tell it.
        batch_size: Images a call.
    """
    known = problem_classes(model, classes)
    rejects = int(model.output_shape[-1]) > known
    poisoned = [metrics.counting(data) for data in poisoned]
    sets = poisoned if clean is None else (clean, *poisoned)
    size = max(1, batch_size // passes_an_input(model))
    answers = [
        inference.answers(model, data.images, batch_size=size, label=data.name) for data in sets
    ]
    report = _report(known, clean, poisoned, answers, rejects=rejects)
    return report if baseline is None else against(report, baseline)


def against(report: Report, baseline: Report) -> Report:
    """Return the report with the defence effectiveness of every attack that both measured."""
    before = {row.name: row.attack_success_rate.value for row in baseline.attacks}
    if report.clean is None or baseline.clean is None:
        return report
    rows = tuple(
        replace(
            row,
            defense_effectiveness=metrics.defense_effectiveness(
                baseline.clean.accuracy.value,
                report.clean.accuracy.value,
                before[row.name],
                row.attack_success_rate.value,
            ),
        )
        if row.name in before
        else row
        for row in report.attacks
    )
    return replace(report, attacks=rows)


def evaluate_detector(
    detector: FittedDetector,
    model: keras.Model,
    clean: Dataset,
    poisoned: Sequence[Dataset] = (),
    *,
    batch_size: int = inference.BATCH,
) -> DetectionReport:
    """Return how a detector sees clean and poisoned images, and what the guarded model answers.

    Args:
        detector: Fitted on clean data that is not `clean`.
        model: The unguarded network, which tells for which images the attack works.
        clean: Test images that calibrated nothing.
        poisoned: One set a trigger; labels are the attacker's targets.
        batch_size: Images a call.
    """
    classes = int(model.output_shape[-1])
    poisoned = [metrics.counting(data) for data in poisoned]
    sets = (clean, *poisoned)
    answers = [
        inference.answers(model, data.images, batch_size=batch_size, label=data.name)
        for data in sets
    ]
    scores = [detector.score(data.images) for data in sets]
    guarded = [
        np.where(score < detector.threshold, classes, answer)
        for score, answer in zip(scores, answers, strict=True)
    ]
    before = _report(classes, clean, poisoned, answers, rejects=False)
    after = _report(classes, clean, poisoned, guarded, rejects=True)
    rows, kept = [], {}
    for data, answer, score in zip(poisoned, answers[1:], scores[1:], strict=True):
        succeeded = answer == data.labels
        row = metrics.detection_row(data.name, scores[0], score, detector.threshold, succeeded)
        if row is not None:
            rows.append(row)
            kept[data.name] = score
    return DetectionReport(
        false_rejection_rate=metrics.rate(scores[0] < detector.threshold),
        rows=tuple(rows),
        before=before,
        guarded=against(after, before),
        scores={"clean": scores[0], "poisoned": kept},
    )


def _report(
    classes: int,
    clean: Dataset | None,
    poisoned: Sequence[Dataset],
    answers: Sequence[Labels],
    *,
    rejects: bool,
) -> Report:
    """Return the report that answers to the clean set (if any) and then the others give."""
    clean_answers = answers[: len(answers) - len(poisoned)]
    clean_row = None
    if clean is not None:
        clean_row = metrics.clean_row(clean_answers[0], clean.labels, classes, rejects=rejects)
    rows = (
        metrics.attack_row(answer, data, classes, rejects=rejects)
        for answer, data in zip(answers[len(clean_answers) :], poisoned, strict=True)
    )
    return Report(
        classes=classes, clean=clean_row, attacks=tuple(row for row in rows if row is not None)
    )
