"""The summary of a bench for programs: one flat row a setting and defence, as CSV or JSON."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from badrepair.bench.line import SCHEMA
from badrepair.bench.outcome import HIGH_IS_BAD, NAMES
from badrepair.tables.rendering import FORMULA_STARTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from badrepair.bench.measure import Measure
    from badrepair.bench.outcome import Name
    from badrepair.bench.standing import Standing
    from badrepair.bench.summary import Summary

Plain = str | float | int | None


def summary_csv(summary: Summary) -> str:
    """Return one row a setting and defence; shares are in [0, 1], what is unknown is empty."""
    buffer = io.StringIO()
    rows = flat_rows(summary)
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _not_a_formula(value) for name, value in row.items()})
    return buffer.getvalue()


def summary_json(summary: Summary) -> dict[str, Any]:
    """Return the summary as plain values; what is unknown is None."""
    return {
        "schema": SCHEMA,
        "cells": {
            "planned": len(summary.cells),
            "done": summary.done,
            "failed": len(summary.failures),
        },
        "attacks_that_lower_accuracy": [
            {**setting._asdict(), "clean_accuracy_drop": drop}
            for setting, drop in summary.lowering().items()
        ],
        "standings": [_standing(one) for one in summary.standings],
        "results": flat_rows(summary),
        "failures": [line.to_json() for line in summary.failures],
    }


def flat_rows(summary: Summary) -> list[dict[str, Plain]]:
    """Return one row a setting and defence, all with the same names in the same order."""
    return [
        {
            **result.setting._asdict(),
            "defense": result.defense,
            "kind": result.kind,
            "cells": result.planned,
            "done": result.done,
            "failed": result.failed,
            "undefended_attack_success_rate": result.undefended,
            "clean_accuracy_drop": result.accuracy_drop,
            **_measures(result.measures),
        }
        for result in summary.results
    ]


def _standing(one: Standing) -> dict[str, Any]:
    cost = one.expense
    peaks = None if cost is None else cost.peak_mib
    return {
        **one.scope._asdict(),
        "defense": one.defense,
        "kind": one.kind,
        "cells": one.planned,
        "done": one.done,
        "failed": one.failed,
        "attacks_that_work": one.threats,
        "attacks_left": one.left,
        "attacks_not_measured": one.unmeasured,
        "attacks_whose_cells_failed": one.unmeasured_failed,
        "attacks_made_to_work": one.made_to_work,
        "attacked": _measures(one.attacked),
        "attacked_where_attacks_work": _measures(one.working),
        "clean": _measures(one.control),
        "seconds_median": None if cost is None else cost.seconds[0],
        "seconds_highest": None if cost is None else cost.seconds[1],
        "peak_mib_median": None if peaks is None else peaks[0],
        "peak_mib_highest": None if peaks is None else peaks[1],
    }


def _measures(found: Mapping[Name, Measure]) -> dict[str, Plain]:
    """Return mean, spread, number and the worst cell of every measure."""
    flat: dict[str, Plain] = {}
    for name in NAMES:
        for what, value in _told(name, found.get(name)).items():
            flat[f"{name}_{what}"] = value
    return flat


def _told(name: Name, one: Measure | None) -> dict[str, Plain]:
    if one is None:
        return {"mean": None, "sd": None, "n": 0, "worst": None, "worst_seed": None}
    worst = one.highest if name in HIGH_IS_BAD else one.lowest
    return {
        "mean": one.mean,
        "sd": one.deviation,
        "n": one.n,
        "worst": worst.value,
        "worst_seed": worst.cell.seed,
    }


def _not_a_formula(value: Plain) -> Plain:
    """Return a text that no spreadsheet takes for a formula; numbers stay as they are."""
    escaped = isinstance(value, str) and value.startswith(FORMULA_STARTS)
    return f"'{value}" if escaped else value
