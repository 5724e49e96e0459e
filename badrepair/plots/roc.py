"""Draw which share of poisoned images a detector catches at each share of false rejections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from badrepair import metrics
from badrepair.plots import style
from badrepair.plots.entropies import poisoned_entropies
from badrepair.plots.parts import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# In percent: up to it the axis of false rejections is linear, so that 0 can be shown; then
# logarithmic, since a guard works at one percent and not at fifty.
LINEAR_UP_TO = 1.0
TICKS = (0, 0.5, 1, 2, 5, 10, 20, 50, 100)
MARKED = (1.0, 5.0)
TITLE = "What is caught at each share of false rejections"
FLOOR_COLOUR = "#888888"

Values = NDArray[np.float64]


class Curve(NamedTuple):
    """What is caught of one poisoned set, shares in percent."""

    rejected: Values
    caught: Values
    low: Values
    high: Values
    label: str


def draw_roc(record: Mapping[str, Any]) -> Figure:
    """Draw one curve a trigger with its 95 % interval, and the floor's thin beside it.

    Args:
        record: Holds `figures.entropies`: `clean` and `poisoned` by name, low being suspicious;
            and, where there is a floor, its scores of the same kind under `figures.floor`.
    """
    part = Part(dict(record)).get("figures", "entropies")
    clean, sets = part.get("clean").array(1), poisoned_entropies(part)
    if not sets:
        part.get("poisoned").refuse("at least one poisoned set")
    floor = Part(dict(record)).find("figures", "floor")
    floor_sets = {} if floor is None else poisoned_entropies(floor)
    figure = style.new_figure(4.6 + 0.2 * (len(sets) + len(floor_sets)), TITLE)
    axes = figure.subplots()
    handles: list[Artist] = []
    for index, (name, values) in enumerate(sets.items()):
        curve = roc_curve(clean, values, f"{style.shown(name)}:")
        handles.append(_draw_curve(axes, curve, style.poisoned(index)))
    for name, values in floor_sets.items():
        if floor is not None and name in sets:
            look = style.poisoned(list(sets).index(name))
            handles.append(_draw_floor(axes, floor, name, values, look))
    handles.append(_draw_guessing(axes))
    _arrange(axes)
    style.legend_below(figure, handles)
    return figure


def roc_curve(clean: Values, poisoned: Values, name: str) -> Curve:
    """Return the curve in percent, with Wilson's interval at each of its points.

    Args:
        clean: Scores, low being suspicious.
        poisoned: Scores of the same kind.
        name: With what its label starts.
    """
    rejected, caught = metrics.roc(clean, poisoned)
    low, high = metrics.wilson(caught * len(poisoned), len(poisoned))
    area = metrics.auroc(clean, poisoned)
    told = "" if area is None else f" {area.value:.3f} [{area.low:.3f}, {area.high:.3f}]"
    label = f"{name} AUROC{told} (n = {len(poisoned)})"
    return Curve(100 * rejected, 100 * caught, 100 * low, 100 * high, label)


def _draw_curve(axes: Axes, curve: Curve, look: style.Series) -> Artist:
    axes.fill_between(
        curve.rejected,
        curve.low,
        curve.high,
        step="post",
        color=look.colour,
        alpha=0.18,
        linewidth=0,
    )
    (line,) = axes.plot(
        curve.rejected,
        curve.caught,
        # Between two points one can only keep what the left one catches.
        drawstyle="steps-post",
        color=look.colour,
        linestyle=look.line,
        label=curve.label,
    )
    return line


def _draw_floor(axes: Axes, floor: Part, name: str, values: Values, look: style.Series) -> Artist:
    clean = floor.get("clean").array(1)
    curve = roc_curve(clean, values, f"confidence alone, {style.shown(name, 20)}:")
    (line,) = axes.plot(
        curve.rejected,
        curve.caught,
        drawstyle="steps-post",
        color=FLOOR_COLOUR,
        linestyle=look.line,
        linewidth=0.9,
        label=curve.label,
    )
    return line


def _draw_guessing(axes: Axes) -> Artist:
    shares = np.concatenate([[0.0], np.geomspace(0.01, 100, 200)])
    (line,) = axes.plot(
        shares, shares, color=style.INK, linestyle=":", linewidth=1.0, label="guessing"
    )
    return line


def _arrange(axes: Axes) -> None:
    """Set the axes: false rejections from 0 to 100 % with 1 % and 5 % marked."""
    axes.set_xscale("symlog", linthresh=LINEAR_UP_TO, linscale=0.6)
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.set_xticks([], minor=True)
    for share in MARKED:
        axes.axvline(share, color=style.INK, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    axes.set(
        xlabel="clean images flagged (%)",
        ylabel="poisoned images caught (%)",
        xlim=(0, 100),
        ylim=(-2, 102),
    )
    axes.grid(visible=True, axis="y")
