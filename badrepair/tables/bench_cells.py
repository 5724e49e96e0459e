"""How the numbers and names of a bench stand in cells and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.tables.table import NOT_APPLICABLE

if TYPE_CHECKING:
    from badrepair.bench.line import Cell
    from badrepair.bench.measure import Extreme, Measure, Setting
    from badrepair.bench.result import Result
    from badrepair.bench.standing import Scope, Standing

MISSING = "missing"
FAILED = "failed"
ALL = "all"
AVERAGES = (
    "A mean is over seeds first, then over networks, attacks and rates of the same weight; ± is the"
    " standard deviation over seeds, pooled."
)


def share(value: float) -> str:
    """Return a share as `97.2 %`, a fall that is a rise as `-0.3 %`."""
    shown = f"{100 * value:.1f} %"
    return "0.0 %" if shown == "-0.0 %" else shown


def absent(found: Result | Standing) -> str:
    """Return why there is no number: cells failed, are missing, or have nothing to measure."""
    if found.failed:
        return FAILED
    return MISSING if found.done < found.planned else NOT_APPLICABLE


def rate_name(poison_rate: float) -> str:
    """Return a poison rate as `10 %`, with as many digits as it has."""
    return f"{100 * poison_rate:.10g} %"


def mean_share(measure: Measure | None, otherwise: str) -> str:
    """Return the mean of a share, or what stands for one that is absent."""
    return otherwise if measure is None else share(measure.mean)


def spread_share(measure: Measure | None, otherwise: str = NOT_APPLICABLE) -> str:
    """Return `97.2 % ± 0.3`; one seed has no spread."""
    if measure is None or measure.deviation is None:
        return mean_share(measure, otherwise)
    return f"{share(measure.mean)} ± {100 * measure.deviation:.1f}"


def spread_number(measure: Measure | None, otherwise: str = NOT_APPLICABLE) -> str:
    """Return `0.962 ± 0.010`."""
    if measure is None or measure.deviation is None:
        return otherwise if measure is None else f"{measure.mean:.3f}"
    return f"{measure.mean:.3f} ± {measure.deviation:.3f}"


def network_name(place: Scope | Setting | Cell) -> str:
    """Return the data and the architecture, or that all are meant."""
    return ALL if place.data is None else f"{place.data}/{place.architecture}"


def attack_name(setting: Setting | Cell, *, on: Scope) -> str:
    """Return the attack with its rate, and the network where the part of the grid has several."""
    attack = f"{setting.attack} {rate_name(setting.poison_rate)}"
    return f"{network_name(setting)}, {attack}" if on.data is None else attack


def case(extreme: Extreme | None, *, on: Scope) -> str:
    """Return which cell an extreme value was found in; a dash where there is none."""
    if extreme is None:
        return NOT_APPLICABLE
    cell = extreme.cell
    if cell.control:
        return f"{network_name(cell)}, seed {cell.seed}" if on.data is None else f"seed {cell.seed}"
    return f"{attack_name(cell, on=on)}, seed {cell.seed}"


def scope_name(scope: Scope) -> str:
    """Return a part of the grid in words."""
    place = "all networks" if scope.data is None else network_name(scope)
    return place if scope.poison_rate is None else f"{place}, {rate_name(scope.poison_rate)}"
