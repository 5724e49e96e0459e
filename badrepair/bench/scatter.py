"""Clean accuracy against attack success, as the places of marks in a drawing.

Each defence has a shape and a colour of its own, so that they are told apart without colour too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from badrepair.tables.bench_cells import network_name, rate_name, scope_name, share
from badrepair.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from badrepair.bench.measure import Measure
    from badrepair.bench.outcome import Name
    from badrepair.bench.standing import Scope
    from badrepair.bench.summary import Summary

ANY = "all"
COLOURS = 6
# Around 0, 0, about as large as a circle of radius 5: it, and six others.
SHAPES = (
    "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "M-4.5-4.5h9v9h-9z",
    "M0-5.5L5.2 4.2H-5.2z",
    "M0-6L5 0L0 6L-5 0z",
    "M0 5.5L5.2-4.2H-5.2z",
    "M-1.8-5.5h3.6v3.7h3.7v3.6h-3.7v3.7h-3.6v-3.7h-3.7v-3.6h3.7z",
    "M-5-2.5l2.5-2.5L0-2.5l2.5-2.5l2.5 2.5L2.5 0l2.5 2.5l-2.5 2.5L0 2.5l-2.5 2.5l-2.5-2.5L-2.5 0z",
)
LEFT, RIGHT, TOP, BOTTOM = 72.0, 736.0, 36.0, 384.0
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
MOST_STEPS = 7


class Look(NamedTuple):
    """What tells a defence from the others.

    Args:
        name: The defence.
        colour: Number of its colour; 0 for no defence.
        shape: Outline of its mark, as a path of SVG.
    """

    name: str
    colour: int
    shape: str


class Tick(NamedTuple):
    """A line across the drawing, and what it says."""

    at: float
    says: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A point of the drawing.

    Args:
        x: From the left edge, for attack success.
        y: From the upper edge, for clean accuracy.
        look: The defence.
        says: What it stands for, in a sentence.
        network: Where it was measured; `ANY` for a mean of several.
        rate: The poison rate; `ANY` likewise.
        mean: Whether it stands for a whole part of the grid.
    """

    x: float
    y: float
    look: Look
    says: str
    network: str
    rate: str
    mean: bool


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """The drawing: its lines and its marks, those of means last, so that they lie on top."""

    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    looks: tuple[Look, ...]
    left: float = LEFT
    right: float = RIGHT
    top: float = TOP
    bottom: float = BOTTOM


@dataclass(frozen=True)
class _Found:
    """A mark that has no place yet."""

    success: Measure
    accuracy: Measure
    look: Look
    where: str
    network: str
    rate: str
    mean: bool

    def placed(self, lowest: float) -> Mark:
        success, accuracy = self.success.mean, self.accuracy.mean
        says = (
            f"{self.look.name}: {self.where}: attack success {share(success)}, clean accuracy"
            f" {share(accuracy)}, {counted(self.success.n, 'cell')}"
        )
        return Mark(
            x=round(LEFT + success * (RIGHT - LEFT), 1),
            y=round(_height(accuracy, lowest), 1),
            look=self.look,
            says=says,
            network=self.network,
            rate=self.rate,
            mean=self.mean,
        )


def scatter(summary: Summary) -> Scatter:
    """Return one small mark a setting and defence, and a large one for each mean of these."""
    looks = {name: _look(name, index) for index, name in enumerate(summary.defenses)}
    found = [*_of_results(summary, looks), *_of_standings(summary, looks)]
    lowest, up = _scale([one.accuracy.mean for one in found])
    across = tuple(
        Tick(LEFT + tenth / 10 * (RIGHT - LEFT), f"{10 * tenth} %") for tenth in range(0, 11, 2)
    )
    return Scatter(
        across=across,
        up=up,
        marks=tuple(one.placed(lowest) for one in found),
        looks=tuple(looks.values()),
    )


def _look(name: str, index: int) -> Look:
    if index == 0:
        return Look(name, 0, SHAPES[0])
    return Look(name, 1 + (index - 1) % COLOURS, SHAPES[index % len(SHAPES)])


def _of_results(summary: Summary, looks: Mapping[str, Look]) -> list[_Found]:
    return [
        _Found(
            *pair,
            look=looks[one.defense],
            where=f"{one.setting.attack} {rate_name(one.setting.poison_rate)},"
            f" {network_name(one.setting)}",
            network=network_name(one.setting),
            rate=rate_name(one.setting.poison_rate),
            mean=False,
        )
        for one in summary.results
        if not one.control and (pair := _pair(one.measures)) is not None
    ]


def _of_standings(summary: Summary, looks: Mapping[str, Look]) -> list[_Found]:
    return [
        _Found(
            *pair,
            look=looks[one.defense],
            where=f"mean over {scope_name(one.scope)}",
            network=network_name(one.scope),
            rate=rate_of(one.scope),
            mean=True,
        )
        for one in summary.standings
        if (pair := _pair(one.attacked)) is not None
    ]


def rate_of(scope: Scope) -> str:
    """Return the poison rate of a part of the grid, or `ANY`."""
    return ANY if scope.poison_rate is None else rate_name(scope.poison_rate)


def _pair(found: Mapping[Name, Measure]) -> tuple[Measure, Measure] | None:
    success, accuracy = found.get("attack_success_rate"), found.get("accuracy")
    return None if success is None or accuracy is None else (success, accuracy)


def _scale(accuracies: Sequence[float]) -> tuple[float, tuple[Tick, ...]]:
    """Return the lowest accuracy of the drawing, and its lines up to 100 %."""
    below = 1 - min(accuracies, default=0.9)
    step = next((one for one in STEPS if below / one <= MOST_STEPS), STEPS[-1])
    count = max(1, math.ceil(round(below / step, 6)))
    lowest = 1 - count * step
    ticks = (1 - index * step for index in range(count + 1))
    return lowest, tuple(Tick(_height(one, lowest), f"{100 * one:.0f} %") for one in ticks)


def _height(accuracy: float, lowest: float) -> float:
    return BOTTOM - (accuracy - lowest) / (1 - lowest) * (BOTTOM - TOP)
