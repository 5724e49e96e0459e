"""How defences stand in a bench, the best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.tables.bench_cells import (
    AVERAGES,
    attack_name,
    case,
    mean_share,
    rate_name,
    scope_name,
    share,
    spread_number,
    spread_share,
)
from badrepair.tables.table import NOT_APPLICABLE, Table
from badrepair.words import counted

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
MOST_NAMED = 6
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
    notes = (*explained, *_gaps(summary, scope))
    title = f"Leaderboard: {scope_name(scope)}"
    rows = tuple(_row(one) for one in standings)
    return Table(title, COLUMNS, rows, notes, _compact(title, standings, notes))


def _row(one: Standing) -> tuple[str, ...]:
    found = one.attacked
    return (
        one.defense,
        _left(one),
        spread_share(found.get("attack_success_rate")),
        *_worst(one),
        spread_share(found.get("accuracy")),
        spread_share(found.get("accuracy_fall")),
        spread_share(found.get("recovered_accuracy"), NOT_APPLICABLE),
        spread_number(found.get("defense_effectiveness"), NOT_APPLICABLE),
        spread_share(found.get("false_rejection_rate"), NOT_APPLICABLE),
        f"{one.done} of {one.planned}",
    )


def _compact(title: str, standings: tuple[Standing, ...], notes: tuple[str, ...]) -> Table:
    """Return the table without most of the spreads, for lines of 120 columns."""
    columns = ("defence", "attacks left", "ASR", "worst", "worst case", "ACC", "fall", "RA", "DER")
    rows = tuple(
        (
            *_row(one)[:6],
            mean_share(one.attacked.get("accuracy_fall")),
            mean_share(one.attacked.get("recovered_accuracy"), NOT_APPLICABLE),
            spread_number(one.attacked.get("defense_effectiveness"), NOT_APPLICABLE).split(" ")[0],
        )
        for one in standings
    )
    return Table(title, columns, rows, notes, apart=False)


def _left(one: Standing) -> str:
    """Return how many attacks are left; one of which nothing is known is said to be missing."""
    if not one.threats:
        return NOT_APPLICABLE
    missing = f", {one.unmeasured} missing" if one.unmeasured else ""
    return f"{one.left} of {one.threats}{missing}"


def _worst(one: Standing) -> tuple[str, str]:
    success = one.attacked.get("attack_success_rate")
    if success is None:
        return NOT_APPLICABLE, NOT_APPLICABLE
    return share(success.highest.value), case(success.highest, on=one.scope)


def _gaps(summary: Summary, scope: Scope) -> tuple[str, ...]:
    """Return sentences about attacks that never worked, and cells without a result."""
    standings = summary.within(scope)
    planned, done = (sum(getattr(one, of) for one in standings) for of in ("planned", "done"))
    failed = sum(one.failed for one in standings)
    limit = rate_name(summary.works_above)
    sentences = []
    never, settings = never_worked(summary, scope), summary.attacked(scope)
    if never:
        sentences.append(
            f"{len(never)} of {counted(len(settings), 'attack')} never worked, with a mean ASR of"
            f" {limit} or less without a defence: {_named(never)}."
        )
    if done < planned:
        sentences.append(
            f"{done} of {planned} cells: {failed} failed and {planned - done - failed} are missing;"
            " a mean is over those that are there."
        )
    return tuple(sentences)


def never_worked(summary: Summary, scope: Scope) -> list[str]:
    """Return the attacks in a part of the grid that do not work on undefended networks."""
    settings = set(summary.attacked(scope))
    idle = [
        one.setting
        for one in summary.results
        if one.setting in settings and one.undefended is not None and not one.works
    ]
    return [attack_name(setting, on=scope) for setting in dict.fromkeys(idle)]


def _named(attacks: list[str]) -> str:
    """Return the first few names, and how many there are besides."""
    more = len(attacks) - MOST_NAMED
    named = "; ".join(attacks[:MOST_NAMED])
    return f"{named}; and {more} more" if more > 0 else named
