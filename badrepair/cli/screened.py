"""Show what a screening found: in a table, in sentences and in the record."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

from badrepair import records
from badrepair.journal import printable
from badrepair.tables import NOT_APPLICABLE, Table, rate_cell
from badrepair.trusting import trusted_files
from badrepair.words import counted, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from badrepair.cli.detectors import OpenedDetector
    from badrepair.cli.strip import StripOptions
    from badrepair.detectors.fitted_strip import FittedStrip
    from badrepair.screening import Tally

COLUMNS = ("images", "flagged", "share flagged", "unreadable", "overlays", "images a second")
# What to do about images that cannot be read.
HINTS = {"SizeMismatch": "; hint: --resize"}


def table(tally: Tally, speed: float | None) -> Table:
    """Return the summary of a screening.

    Args:
        tally: What was found.
        speed: Images a second; None where all rows were there already.
    """
    overlays = tally.mean_overlays_used
    row = (
        str(tally.images),
        str(tally.flagged),
        rate_cell(tally.flagged_share),
        str(tally.unreadable),
        NOT_APPLICABLE if overlays is None else f"{overlays:.1f}",
        NOT_APPLICABLE if speed is None else f"{speed:.0f}",
    )
    notes = (
        "share flagged: of the images that can be read; [low, high] is the 95 % interval.",
        "overlays: how many were looked at for an image, on average.",
    )
    return Table("Screening", COLUMNS, (row,), notes)


def sentences(tally: Tally, detector: FittedStrip) -> list[str]:
    """Return what to say below the table."""
    said = [
        f"of clean images like those that calibrated, the detector flags at most"
        f" {percent(tally.monitor.expected)} (95 % confidence); it was made for"
        f" {percent(detector.frr)}"
    ]
    for code, row in tally.examples.items():
        assert row.fault is not None
        number = counted(tally.faults[code], "image")
        which = printable(row.path) or f"row {row.index:,}"
        hint = HINTS.get(code, "")
        said.append(f"{number} cannot be read ({code}), such as {which}: {row.fault.problem}{hint}")
    if tally.monitor.drift is not None:
        said.append(f"warning: {tally.monitor.drift.sentence}")
    return said


def findings(tally: Tally) -> list[str]:
    """Return what makes `--fail-on-finding` fail."""
    flagged, unreadable = counted(tally.flagged, "image"), counted(tally.unreadable, "image")
    return [
        *([f"{flagged} flagged"] if tally.flagged else []),
        *([f"{unreadable} unreadable"] if tally.unreadable else []),
    ]


def record(
    options: StripOptions,
    opened: OpenedDetector,
    source: Mapping[str, Any],
    detector: FittedStrip,
    tally: Tally,
    speed: float | None,
    started: float,
) -> dict[str, Any]:
    """Return the record, but for what was written.

    Args:
        options: Of the command.
        opened: The detector's file and the network's.
        source: Identity of the images.
        detector: What judged.
        tally: What it found.
        speed: Images a second; None where all rows were there already.
        started: When the command began, in `time.monotonic` seconds.
    """
    head = records.provenance(
        command="strip",
        arguments=sys.argv[1:],
        options=dataclasses.asdict(options),
        seed=options.seed,
        inputs=opened.files,
        started=started,
    )
    return {
        **head,
        "inputs": [*head["inputs"], dict(source)],
        "trusted": trusted_files(opened.files, opened.trusted),
        "input_range": {
            "value": opened.stored.binding.input_range,
            "why": f"{opened.stored.path} was made for it",
        },
        "choices": detector.choices,
        "screening": {
            "images": tally.images,
            "flagged": tally.flagged,
            "share_flagged": tally.flagged_share,
            "unreadable": tally.unreadable,
            "reasons": dict(tally.faults),
            "overlays_used": tally.mean_overlays_used,
            "images_a_second": speed,
            "largest_clean_share": tally.monitor.expected,
            "drift": tally.monitor.drift,
        },
    }
