"""How well each attack of a bench works where nobody defends, and what it costs in accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.tables.bench_cells import absent, network_name, rate_name, share, spread_share
from badrepair.tables.table import NOT_APPLICABLE, Table

if TYPE_CHECKING:
    from badrepair.bench.result import Result
    from badrepair.bench.summary import Summary

UNDEFENDED = "none"
COLUMNS = ("network", "attack", "rate", "ACC", "below control", "ASR", "lowest ASR", "n")
NOTE = (
    "Without a defence. below control: how much lower the clean accuracy is than that of networks"
    " that nobody attacked. lowest ASR: of a single seed. n: seeds."
)


def attack_table(summary: Summary) -> Table:
    """Return one row an attack and rate on each network."""
    found = {one.setting: one for one in summary.results if one.defense == UNDEFENDED}
    rows = tuple(_row(found[setting]) for setting in summary.attacked() if setting in found)
    return Table("Attacks", COLUMNS, rows, (NOTE,))


def _row(result: Result) -> tuple[str, ...]:
    setting, drop = result.setting, result.accuracy_drop
    accuracy, success = (result.measures.get(name) for name in ("accuracy", "attack_success_rate"))
    return (
        network_name(setting),
        setting.attack,
        rate_name(setting.poison_rate),
        spread_share(accuracy, absent(result)),
        NOT_APPLICABLE if drop is None else share(drop),
        spread_share(success, absent(result)),
        NOT_APPLICABLE if success is None else share(success.lowest.value),
        str(result.done),
    )
