"""Measure a model: clean accuracy, attack success, rejections, all with n and interval."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair import metrics
from badrepair.errors import DataError
from badrepair.models import inference
from badrepair.models.guards import is_guard, passes_an_input
from badrepair.types import DetectionReport, Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import keras

    from badrepair.metrics import Floats
    from badrepair.types import Dataset, DetectionRow, FittedDetector, Labels


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
    answers = _answers(model, sets, size)
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
    floor: FittedDetector | None = None,
    batch_size: int = inference.BATCH,
) -> DetectionReport:
    """Return how a detector sees clean and poisoned images, and what the guarded model answers.

    Args:
        detector: Fitted on clean data that is not `clean`.
        model: The unguarded network, which tells for which images the attack works.
        clean: Test images that calibrated nothing.
        poisoned: One set a trigger; labels are the attacker's targets. Images whose true label
            is the target do not count where true labels are known.
        floor: A simpler detector that is measured on the same images, to compare with.
        batch_size: Images a call.
    """
    classes = int(model.output_shape[-1])
    poisoned = [data for data in map(metrics.counting, poisoned) if len(data)]
    sets = (clean, *poisoned)
    answers = _answers(model, sets, batch_size)
    detectors = [detector] if floor is None else [detector, floor]
    scores = [[each.score(data.images) for data in sets] for each in detectors]
    guarded = [
        np.where(score < detector.threshold, classes, answer)
        for score, answer in zip(scores[0], answers, strict=True)
    ]
    before = _report(classes, clean, poisoned, answers, rejects=False)
    after = _report(classes, clean, poisoned, guarded, rejects=True)
    kept = [_kept_scores(poisoned, each) for each in scores]
    return DetectionReport(
        false_rejection_rates={
            each.name: metrics.rate(of_clean < each.threshold)
            for each, (of_clean, *_) in zip(detectors, scores, strict=True)
        },
        rows=tuple(_detection_rows(detectors, poisoned, answers[1:], scores)),
        before=before,
        guarded=against(after, before),
        scores=kept[0],
        floor_scores=kept[1] if floor is not None else {},
    )


def _answers(model: keras.Model, sets: Sequence[Dataset], batch_size: int) -> list[Labels]:
    """Return what a network answers to every set."""
    return [
        inference.answers(model, data.images, batch_size=batch_size, label=data.name)
        for data in sets
    ]


def _detection_rows(
    detectors: Sequence[FittedDetector],
    poisoned: Sequence[Dataset],
    answers: Sequence[Labels],
    scores: Sequence[Sequence[Floats]],
) -> Iterator[DetectionRow]:
    """Yield how each detector sees each poisoned set.

    Args:
        detectors: Each with its `scores`: of the clean images first, then of every set.
        poisoned: The images that count.
        answers: Of the unguarded model to each poisoned set.
        scores: One sequence a detector.
    """
    for index, (data, answer) in enumerate(zip(poisoned, answers, strict=True)):
        for detector, (of_clean, *of_poisoned) in zip(detectors, scores, strict=True):
            row = metrics.detection_row(
                data.name,
                of_clean,
                of_poisoned[index],
                detector.threshold,
                answer == data.labels,
                detector=detector.name,
            )
            if row is not None:
                yield row


def _kept_scores(poisoned: Sequence[Dataset], scores: Sequence[Floats]) -> dict[str, Any]:
    """Return one detector's scores by the sets that they are of."""
    of_poisoned = zip(poisoned, scores[1:], strict=True)
    return {"clean": scores[0], "poisoned": {data.name: score for data, score in of_poisoned}}


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
