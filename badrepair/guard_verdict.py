"""The verdict on STRIP in words: what it catches, at which price, and what was not measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from badrepair.calibration import excess_chance
from badrepair.types import Rate
from badrepair.words import counted, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from badrepair.calibration import Floats, Kind
    from badrepair.types import DetectionReport, DetectionRow, Estimate

# A detector that surely catches this share guards; one that surely catches less than half does not.
GUARDS, FAILS = 0.90, 0.50
# Attack success below which a trigger is taken not to work.
WORKS = 0.10
# Where the median entropy of clean images is below it, their answers hardly vary.
STEADY_BITS = 0.25
# Chance of so many false rejections below which they are no accident of the calibration images.
RARE = 0.025

NOT_MEASURED = "how many poisoned inputs it catches was not measured: no poisoned images were given"
BLIND_SPOTS = (
    "source-specific and all-to-all attacks, warping triggers and triggers of low contrast are"
    " known to pass STRIP"
)


def guard_verdict(
    report: DetectionReport,
    *,
    frr: float,
    calibration: Kind,
    calibrated_on: int,
    asked: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return what a STRIP guard is worth, in sentences for a reader who was not there.

    Args:
        report: Of STRIP, whose scores are entropies in bits; and of a floor, if there is one.
        frr: Share of clean inputs that was agreed to be flagged, in (0, 1).
        calibration: How the threshold follows from clean entropies.
        calibrated_on: Number of clean images that calibrated.
        asked: Names of the triggers that the user gave images of.
    """
    rows = [row for row in report.rows if row.detector == report.detector]
    floors = {row.name: row for row in report.rows if row.detector != report.detector}
    success = {row.name: row.attack_success_rate for row in report.before.attacks}
    return (
        *(
            sentence
            for row in rows
            for sentence in _of_trigger(row, floors.get(row.name), success[row.name])
        ),
        *_missing(rows, asked),
        *false_rejections(report.false_rejection_rate, frr, calibration, calibrated_on),
        *steady_answers(report.scores["clean"]),
        *_limits(rows),
    )


def false_rejections(
    found: Rate | None, frr: float, calibration: Kind, calibrated_on: int
) -> tuple[str, ...]:
    """Return what is wrong with the share of clean images that are flagged; nothing if it is kept.

    Args:
        found: On clean test images.
        frr: What was agreed to.
        calibration: How the threshold was made.
        calibrated_on: Number of clean images that it was made of.
    """
    if found is None:
        return ("how many clean images are flagged was not measured: no clean test images",)
    if found.low <= frr:
        return ()
    more = (
        f"{_share(found)} of the {found.n} clean test images are flagged, more than the"
        f" {percent(frr)} that were agreed to"
    )
    if calibration in ("normal", "empirical"):
        return (f"{more}: {calibration} calibration promises nothing",)
    if calibration == "conformal":
        flagged = round(found.value * found.n)
        if excess_chance(calibrated_on, frr, found.n, flagged) >= RARE:
            images = counted(calibrated_on, "calibration image")
            return (
                f"{more}, which {images} can be off by chance: give more --clean, or use"
                " --calibration pac",
            )
    return (
        f"{more}: the promise does not hold here, most likely because these images are not of the"
        " kind that calibrated (another source, or drift)",
    )


def steady_answers(entropies: Floats) -> tuple[str, ...]:
    """Return a warning where clean images are answered as steadily as poisoned ones would be.

    An answer that is torn between the two images of a mix has an entropy of one bit, whatever the
    number of classes. Where the median of clean images is below a quarter of that, an input with
    a trigger cannot be much steadier.

    Args:
        entropies: Of clean images under superimposition, in bits.
    """
    if not len(entropies) or np.median(entropies) >= STEADY_BITS:
        return ()
    return (
        f"clean images hardly change their answers either (their median entropy is"
        f" {np.median(entropies):.3g} bits, and an answer torn between two classes has 1): STRIP"
        " has little to go by",
    )


def _of_trigger(row: DetectionRow, floor: DetectionRow | None, success: Rate) -> Iterator[str]:
    """Yield what is known of one trigger."""
    caught = _caught(row)
    if success.value <= WORKS or caught is None:
        yield (
            f"{row.name} does not work on the unguarded model: {percent(success.value)} of"
            f" {success.n} images get the attacker's target, so what {row.detector} catches of them"
            " proves nothing"
        )
        return
    yield (
        f"{row.detector} catches {_share(caught)} of the {counted(caught.n, 'image')} on which"
        f" {row.name} works{_price(row)}: {grade(caught)}"
    )
    if floor is not None:
        yield _against_floor(row, floor)


def grade(caught: Rate) -> str:
    """Return what a share of caught images is worth, as far as its interval tells."""
    if caught.low >= GUARDS:
        return "it guards against this trigger"
    if caught.high < FAILS:
        return "it does not guard against this trigger"
    if caught.low >= FAILS:
        how = "at least" if caught.high >= GUARDS else "only"
        return f"it guards against this trigger {how} in part"
    if caught.high < GUARDS:
        return "it guards against this trigger in part at most"
    return f"too few images (n = {caught.n}) to say whether it guards against this trigger"


def _against_floor(row: DetectionRow, floor: DetectionRow) -> str:
    caught = _caught(floor)
    # The thresholds may tell no difference where the orders of the images do.
    better = _compared(_caught(row), caught) or _compared(row.auroc, floor.auroc)
    worth = {1: "is better than", 0: "is no better than", -1: "is worse than"}[better]
    sees = "" if caught is None else f", which catches {_share(caught)} of them{_price(floor)}"
    areas = ""
    if row.auroc is not None and floor.auroc is not None:
        areas = f" (AUROC {row.auroc.value:.3f} against {floor.auroc.value:.3f})"
    return f"{row.detector} {worth} looking at the confidence alone{sees}{areas}"


def _compared(one: Rate | Estimate | None, other: Rate | Estimate | None) -> int:
    """Return 1 if the first is larger beyond both intervals, -1 if smaller, 0 if neither."""
    if one is None or other is None:
        return 0
    return int(one.low > other.high) - int(one.high < other.low)


def _caught(row: DetectionRow) -> Rate | None:
    """Return the share that is caught of the images on which the trigger works."""
    missed = row.false_acceptance_rate_of_successful
    if missed is None:
        return None
    return Rate(1 - missed.value, missed.n, 1 - missed.high, 1 - missed.low)


def _price(row: DetectionRow) -> str:
    if row.false_rejection_rate is None:
        return ""
    return f", at {percent(row.false_rejection_rate.value)} false rejections"


def _missing(rows: Sequence[DetectionRow], asked: Sequence[str]) -> Iterator[str]:
    if not rows and not asked:
        yield NOT_MEASURED
    seen = {row.name for row in rows}
    for name in dict.fromkeys(asked):
        if name not in seen:
            yield (
                f"how many inputs with {name} it catches was not measured: none of its images"
                " counts"
            )


def _limits(rows: Sequence[DetectionRow]) -> Iterator[str]:
    if rows:
        yield f"triggers other than {', '.join(row.name for row in rows)} were not measured"
    yield BLIND_SPOTS


def _share(rate: Rate) -> str:
    return f"{percent(rate.value)} [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"
