"""What the cells of a bench come to, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.tables.bench_attacks import attack_table
from badrepair.tables.bench_cells import (
    AVERAGES,
    absent,
    case,
    network_name,
    rate_name,
    share,
    spread_number,
    spread_share,
)
from badrepair.tables.bench_leaderboard import leaderboard_table
from badrepair.tables.bench_success import success_table
from badrepair.tables.table import NOT_APPLICABLE, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from badrepair.bench.measure import Measure
    from badrepair.bench.outcome import Name
    from badrepair.bench.standing import Expense, Standing
    from badrepair.bench.summary import Summary


def bench_tables(summary: Summary) -> list[Table]:
    """Return all tables of a bench; one without rows is left out.

    The leaderboard of the whole grid comes first, then that of each network where there are
    several.
    """
    whole = [scope for scope in summary.scopes if scope.poison_rate is None]
    tables = [leaderboard_table(summary, scope) for scope in whole]
    first = (success_table, attack_table, detector_table)
    rest = (*first, control_table, expense_table, failure_table)
    return [table for table in (*tables, *(make(summary) for make in rest)) if table.rows]


DETECTOR_COLUMNS = (
    "network",
    "detector",
    "AUROC",
    "worst AUROC",
    "worst case",
    "TPR at 1 %",
    "worst TPR",
    "FRR",
    "highest FRR",
    "n",
)
CONTROL_COLUMNS = (
    "network",
    "defence",
    "ACC",
    "fall of ACC",
    "worst fall",
    "worst case",
    "FRR",
    "highest FRR",
    "n",
)


def detector_table(summary: Summary) -> Table:
    """Return how well the scores of each detector tell poisoned images from clean ones."""
    notes = (
        "AUROC and TPR: over the networks in which the attack works without a defence. TPR at 1 %:"
        " poisoned images that a threshold would catch which flags 1 % of the clean test images; it"
        " is for comparing. FRR: clean test images that the detector's own threshold flags.",
        AVERAGES,
    )
    rows = (_detector(one) for one in _whole(summary) if one.kind == "detector")
    return _without_cases("Detectors", DETECTOR_COLUMNS, tuple(rows), notes)


def control_table(summary: Summary) -> Table:
    """Return what each defence does to networks that nobody attacked."""
    notes = ("What a defence costs where there is no backdoor: these networks are clean.", AVERAGES)
    rows = (_control(one) for one in _whole(summary) if one.control)
    return _without_cases("Clean networks", CONTROL_COLUMNS, tuple(rows), notes)


def expense_table(summary: Summary) -> Table:
    """Return how long the cells of each defence took and how much memory."""
    columns = ("network", "defence", "median s", "highest s", "median MiB", "highest MiB")
    rows = tuple(
        (network_name(one.scope), one.defense, *_expense(one.expense))
        for one in _whole(summary)
        if one.expense is not None
    )
    notes = (
        "Of a cell: s are seconds of one core; MiB are the most memory at a time, which includes"
        " what earlier tasks left in its process. These alone differ from run to run.",
    )
    return Table("Cost", columns, rows, notes)


def failure_table(summary: Summary) -> Table:
    """Return the cells that failed, each with its error."""
    columns = ("network", "attack", "rate", "defence", "seed", "error", "message")
    rows = []
    for line in summary.failures:
        cell = line.cell
        what = (network_name(cell), cell.attack, rate_name(cell.poison_rate), cell.defense)
        error = ("", "") if line.error is None else (line.error.code, line.error.message)
        rows.append((*what, str(cell.seed), *error))
    return Table("Failed cells", columns, tuple(rows), apart=False)


def _without_cases(
    title: str, columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...], notes: tuple[str, ...]
) -> Table:
    """Return a table that shows in a terminal without the column of the worst case."""
    kept = [index for index, name in enumerate(columns) if name != "worst case"]
    narrow, *lines = (tuple(row[index] for index in kept) for row in (columns, *rows))
    compact = Table(title, narrow, tuple(lines), notes)
    return Table(title, columns, rows, notes, compact)


def _whole(summary: Summary) -> list[Standing]:
    """Return the standings over all rates, those without a defence first in each network."""
    order = summary.defenses.index
    found = [one for one in summary.standings if one.scope.poison_rate is None]
    places = list(summary.scopes).index
    return sorted(found, key=lambda one: (places(one.scope), order(one.defense)))


def _detector(one: Standing) -> tuple[str, ...]:
    area, caught = (one.working.get(name) for name in ("auroc", "true_positive_rate_at_1"))
    return (
        network_name(one.scope),
        one.defense,
        spread_number(area, absent(one)),
        NOT_APPLICABLE if area is None else f"{area.lowest.value:.3f}",
        case(None if area is None else area.lowest, on=one.scope),
        spread_share(caught, absent(one)),
        NOT_APPLICABLE if caught is None else share(caught.lowest.value),
        *_rejections(one.attacked),
        str(0 if area is None else area.n),
    )


def _control(one: Standing) -> tuple[str, ...]:
    accuracy, fall = one.control["accuracy"], one.control["accuracy_fall"]
    return (
        network_name(one.scope),
        one.defense,
        spread_share(accuracy),
        spread_share(fall),
        share(fall.highest.value),
        case(fall.highest, on=one.scope) if fall.highest.value > 0 else NOT_APPLICABLE,
        *_rejections(one.control),
        str(accuracy.n),
    )


def _rejections(found: Mapping[Name, Measure]) -> tuple[str, str]:
    """Return the mean and the highest false rejection rate; dashes where nothing rejects."""
    rejected = found.get("false_rejection_rate")
    if rejected is None:
        return NOT_APPLICABLE, NOT_APPLICABLE
    return spread_share(rejected), share(rejected.highest.value)


def _expense(expense: Expense) -> tuple[str, ...]:
    seconds = [f"{value:.1f}" for value in expense.seconds]
    if expense.peak_mib is None:
        return (*seconds, NOT_APPLICABLE, NOT_APPLICABLE)
    return (*seconds, *(f"{value:.0f}" for value in expense.peak_mib))
