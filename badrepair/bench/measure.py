"""The mean of a measure over seeds and then over settings, its spread, and its extreme cells."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from badrepair.bench.line import Cell


class Setting(NamedTuple):
    """What a network was trained on and how it was poisoned, whatever the seed.

    Args:
        data: The data set.
        architecture: The network.
        attack: Its label.
        poison_rate: Share of the training set, in [0, 1].
    """

    data: str
    architecture: str
    attack: str
    poison_rate: float


def setting_of(cell: Cell) -> Setting:
    """Return the setting that a cell is one seed of."""
    return Setting(cell.data, cell.architecture, cell.attack, cell.poison_rate)


@dataclass(frozen=True, kw_only=True)
class Extreme:
    """A single value and the cell that it was found in."""

    value: float
    cell: Cell


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What many cells come to.

    Args:
        mean: Over seeds first, then over settings, each of the same weight.
        deviation: Standard deviation over seeds, pooled over the settings, so that it says nothing
            of how settings differ; None where none has two seeds.
        n: Number of cells.
        lowest: The cell with the lowest value, the first of several.
        highest: The cell with the highest.
    """

    mean: float
    deviation: float | None
    n: int
    lowest: Extreme
    highest: Extreme


def measure(values: Sequence[tuple[Cell, float]]) -> Measure | None:
    """Return what the values of cells come to; None if there are none."""
    if not values:
        return None
    settings: defaultdict[Setting, list[float]] = defaultdict(list)
    for cell, value in values:
        settings[setting_of(cell)].append(value)
    lowest = min(values, key=lambda one: one[1])
    highest = max(values, key=lambda one: one[1])
    return Measure(
        mean=fmean(fmean(seeds) for seeds in settings.values()),
        deviation=_pooled(list(settings.values())),
        n=len(values),
        lowest=Extreme(cell=lowest[0], value=lowest[1]),
        highest=Extreme(cell=highest[0], value=highest[1]),
    )


def _pooled(settings: Sequence[Sequence[float]]) -> float | None:
    """Return the root of the mean variance within settings, weighted by degrees of freedom."""
    freedom = sum(len(seeds) - 1 for seeds in settings)
    if freedom == 0:
        return None
    within = math.fsum((one - fmean(seeds)) ** 2 for seeds in settings for one in seeds)
    return math.sqrt(within / freedom)
