"""How defences stand in a bench, the best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.tables.bench_cells import (
    AVERAGES,
    FAILED,
    MISSING,
    absent,
    case,
    mean_share,
    rate_name,
    scope_name,
    share,
    spread_number,
    spread_share,
)
from badrepair.tables.bench_notes import found_notes
from badrepair.tables.table import NOT_APPLICABLE, Table

if TYPE_CHECKING:
    from badrepair.bench.standing import Scope, Standing
    from badrepair.bench.summary import Summary

COLUMNS = (
    "defence",
    "attacks left",
    "ASR",
    "worst ASR",
    "worst case",
    "ACC",
    "fall of ACC",
    "RA",
    "DER",
    "FRR",
    "cells",
)
MEANING = (
    "ASR: attack success; of several triggers in one network the one that works best counts."
    " ACC: clean accuracy. RA: poisoned images answered right. DER: 0.5 does nothing, 1 is perfect."
    " FRR: clean images flagged by a detector.",
    AVERAGES,
)


def meaning(summary: Summary) -> tuple[str, ...]:
    """Return what the notes below the first leaderboard say, whatever was found."""
    left = (
        f"attacks left: of the attacks whose mean ASR is above {rate_name(summary.works_above)}"
        " without a defence, those that stay above it; the list is in this order, then by mean ASR."
        " worst ASR: of a single cell."
    )
    return (left, *MEANING)


def leaderboard_table(summary: Summary, scope: Scope) -> Table:
    """Return one row a defence, over all attacked networks in a part of the grid.

    What the columns mean stands below that of the whole grid only.

    Args:
        summary: What the grid came to.
        scope: Which part; one of `summary.scopes`.
    """
    standings = summary.within(scope)
    explained = meaning(summary) if scope == summary.scopes[0] else ()
    notes = (*explained, *found_notes(summary, scope))
    title = f"Leaderboard: {scope_name(scope)}"
    rows = tuple(_row(one) for one in standings)
    return Table(title, COLUMNS, rows, notes, _compact(title, standings, notes))


def _row(one: Standing) -> tuple[str, ...]:
    found, nothing = one.attacked, absent(one)
    return (
        one.defense,
        _left(one),
        spread_share(found.get("attack_success_rate"), nothing),
        *_worst(one),
        spread_share(found.get("accuracy"), nothing),
        spread_share(found.get("accuracy_fall"), nothing),
        spread_share(found.get("recovered_accuracy")),
        spread_number(found.get("defense_effectiveness")),
        spread_share(found.get("false_rejection_rate")),
        f"{one.done} of {one.planned}",
    )


def _compact(title: str, standings: tuple[Standing, ...], notes: tuple[str, ...]) -> Table:
    """Return the table without most of the spreads, for lines of 120 columns."""
    columns = ("defence", "attacks left", "ASR", "worst", "worst case", "ACC", "fall", "RA", "DER")
    rows = tuple(
        (
            *_row(one)[:6],
            mean_share(one.attacked.get("accuracy_fall"), absent(one)),
            mean_share(one.attacked.get("recovered_accuracy"), NOT_APPLICABLE),
            spread_number(one.attacked.get("defense_effectiveness")).split(" ")[0],
        )
        for one in standings
    )
    return Table(title, columns, rows, notes, apart=False)


def _left(one: Standing) -> str:
    """Return how many attacks are left, and how many failed or are missing."""
    if not one.threats:
        return NOT_APPLICABLE
    unknown = {FAILED: one.unmeasured_failed, MISSING: one.unmeasured - one.unmeasured_failed}
    told = (f", {number} {why}" for why, number in unknown.items() if number)
    return f"{one.left} of {one.threats}{''.join(told)}"


def _worst(one: Standing) -> tuple[str, str]:
    success = one.attacked.get("attack_success_rate")
    if success is None:
        return NOT_APPLICABLE, NOT_APPLICABLE
    return share(success.highest.value), case(success.highest, on=one.scope)
