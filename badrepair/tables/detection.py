"""How well detectors see poisoned images, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.tables.table import (
    INTERVAL,
    NO_POISONED_SET,
    NOT_MEASURED,
    Table,
    estimate_cell,
    rate_cell,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from badrepair.types import DetectionRow, Rate

MEASURES = ("FAR", "FAR, attack works", "TPR at 1 % FRR", "TPR at 5 % FRR", "AUROC", "n")
MEANING = (
    "FRR: clean images that were flagged; FAR: poisoned images that were not, all of them and those"
    " that fool the unguarded model.",
    "TPR at 1 % FRR: poisoned images that a threshold would catch which flags 1 % of these very"
    " clean images; it is for comparing detectors, not the threshold that is used.",
    "AUROC: chance that a poisoned image looks more suspicious than a clean one; 0.5 is guessing.",
    INTERVAL,
)


def detection_table(
    false_rejections: Mapping[str, Rate | None], rows: Sequence[DetectionRow]
) -> Table:
    """Return how well detectors see each poisoned set, one row a set and detector.

    In a terminal it shows one row a measure, with the detectors beside each other.

    Args:
        false_rejections: By detector, the one under test first: share of the clean test images
            that it flags.
        rows: For each poisoned set one a detector; none where no set was given.
    """
    cells = [
        (row.detector, row.name, rate_cell(row.false_rejection_rate), *_measured(row))
        for row in rows
    ]
    nothing = [
        (detector, NO_POISONED_SET, rate_cell(rate), *_measured(None))
        for detector, rate in false_rejections.items()
    ]
    columns = ("detector", "trigger", "FRR", *MEASURES)
    notes = (*_roles(list(false_rejections)), *MEANING)
    overview = _overview(false_rejections, rows, notes)
    return Table("Detection", columns, tuple(cells or nothing), notes, overview)


def _overview(
    false_rejections: Mapping[str, Rate | None],
    rows: Sequence[DetectionRow],
    notes: tuple[str, ...],
) -> Table:
    """Return one row a measure, and one column a detector."""
    rejected = [rate_cell(rate) for rate in false_rejections.values()]
    tested = [str(rate.n) if rate else "0" for rate in false_rejections.values()]
    lines = [("clean", "FRR", *rejected), ("clean", "n", *tested)]
    for trigger in dict.fromkeys(row.name for row in rows):
        seen = {row.detector: row for row in rows if row.name == trigger}
        lines += _lines(trigger, [seen.get(detector) for detector in false_rejections])
    if not rows:
        lines.append((NO_POISONED_SET, "FAR", *[NOT_MEASURED] * len(false_rejections)))
    return Table("Detection", ("images", "measure", *false_rejections), tuple(lines), notes)


def _lines(trigger: str, rows: Sequence[DetectionRow | None]) -> Iterator[tuple[str, ...]]:
    """Yield the measures of one trigger, each with a cell for every detector."""
    for measure, cells in zip(MEASURES, zip(*map(_measured, rows), strict=True), strict=True):
        yield (trigger, measure, *cells)


def _measured(row: DetectionRow | None) -> tuple[str, ...]:
    """Return the cells below `MEASURES`."""
    if row is None:
        return (*[NOT_MEASURED] * (len(MEASURES) - 1), "0")
    rates = (
        row.false_acceptance_rate,
        row.false_acceptance_rate_of_successful,
        row.true_positive_rate_at_1,
        row.true_positive_rate_at_5,
    )
    number = str(row.false_acceptance_rate.n)
    return (*map(rate_cell, rates), estimate_cell(row.auroc), number)


def _roles(detectors: Sequence[str]) -> tuple[str, ...]:
    """Return what the second detector is there for."""
    if len(detectors) < 2:
        return ()
    first, floor = detectors[:2]
    return (f"{floor} is the floor: a simple detector that {first} should be better than.",)
