"""What is written of a cell: a line with its result, or with what went wrong."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from badrepair.bench import line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from badrepair.bench.attempt import Attempt
    from badrepair.bench.grid import Cell

# What a measurement may say of a cell, in the order of the line.
RESULTS = ("before", "after", "detection", "choices", "fingerprint")


def line_of(cell: Cell, found: Attempt) -> dict[str, Any]:
    """Return the line of a cell that was run."""
    failed = found.code is not None
    results: Mapping[str, Any] = found.value or {}
    return {
        "schema": line.SCHEMA,
        "key": cell.key,
        "cell": asdict(cell.labels),
        "net": cell.net.key,
        "kind": cell.defense.kind,
        "status": "failed" if failed else "done",
        "error": {"code": found.code, "message": found.message} if failed else None,
        **{name: results.get(name) for name in RESULTS},
        "cost": {"seconds": round(found.seconds, 3), "peak_mib": found.peak_mib},
    }


def under_its_labels(stored: Mapping[str, Any], cell: Cell) -> dict[str, Any]:
    """Return a line that is there already, under the labels that its cell has now."""
    return {**stored, "cell": asdict(cell.labels)}
