"""How often each attack still succeeds against each defence in a bench."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.tables.bench_cells import MISSING, absent, mean_share, network_name, rate_name
from badrepair.tables.table import Table

if TYPE_CHECKING:
    from badrepair.bench.result import Result
    from badrepair.bench.summary import Summary

IN_PART = " *"


def success_table(summary: Summary) -> Table:
    """Return the mean attack success, one row an attack and rate, one column a defence."""
    found = {(one.setting, one.defense): one for one in summary.results}
    rows = tuple(
        (
            network_name(setting),
            setting.attack,
            rate_name(setting.poison_rate),
            *(success_cell(found.get((setting, defense))) for defense in summary.defenses),
        )
        for setting in summary.attacked()
    )
    notes = ["Mean ASR over the seeds; of several triggers the one that works best counts."]
    if any(cell.endswith(IN_PART) for row in rows for cell in row):
        notes.append("*: seeds are missing or failed, so the mean is over the others.")
    columns = ("network", "attack", "rate", *summary.defenses)
    return Table("Attack success", columns, rows, tuple(notes))


def success_cell(result: Result | None) -> str:
    """Return the mean attack success, marked where seeds lack, or why there is none."""
    if result is None or not result.planned:
        return MISSING
    success = result.measures.get("attack_success_rate")
    return mean_share(success, absent(result)) + IN_PART * (0 < result.done < result.planned)
