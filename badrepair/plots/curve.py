"""Draw clean accuracy and attack success against the number of pruned channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair.plots import style
from badrepair.plots.parts import MOST_SETS, Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MOST_MARKERS = 12


def draw_curve(record: Mapping[str, Any]) -> Figure:
    """Draw what pruning did, step by step, and the level that was kept.

    Args:
        record: Holds `curve`, a list of {pruned, accuracy in [0, 1], attack_success: {name: rate}},
            and, as far as they are known, under `choices` the `level` that was kept, `layer`,
            `max_drop`, `baseline_accuracy` and `images.held_out`, their number; the number of
            images of each poisoned set stands under `figures.curve.n`, by name.
    """
    whole = Part(dict(record))
    choices = whole.find("choices") or Part({}, "choices")
    layer = choices.find("layer")
    of_layer = f" of {style.shown(layer.text())}" if layer else ""
    figure = style.new_figure(4.2, f"Pruning the channels{of_layer}")
    axes = figure.subplots()
    handles = _draw_series(axes, whole)
    handles += _draw_budget(axes, choices)
    _draw_level(axes, choices)
    axes.set(xlabel="channels pruned (number)", ylabel="share of images (%)", ylim=(-2, 102))
    axes.margins(x=0.02)
    axes.locator_params(axis="x", integer=True)
    axes.grid(visible=True, axis="y")
    style.legend_below(figure, handles)
    return figure


def _draw_series(axes: Axes, whole: Part) -> list[Line2D]:
    """Draw one line for accuracy and one for each attack."""
    rows = whole.get("curve").items()
    pruned = [row.get("pruned").count() for row in rows]
    accuracy = [row.get("accuracy").number(0, 1) for row in rows]
    label = "accuracy on held-out clean images" + _number(
        whole.find("choices", "images", "held_out")
    )
    handles = [_draw_line(axes, pruned, accuracy, style.CLEAN, label)]
    for index, (name, rates) in enumerate(_attack_success(rows).items()):
        number = _number(whole.find("figures", "curve", "n", name))
        label = f"attack success, {style.shown(name)}{number}"
        handles.append(_draw_line(axes, pruned, rates, style.poisoned(index), label))
    return handles


def _draw_line(
    axes: Axes, x: list[int], rates: list[float], look: style.Series, label: str
) -> Line2D:
    (line,) = axes.plot(
        x,
        100 * np.asarray(rates),
        color=look.colour,
        linestyle=look.line,
        marker=look.marker,
        markevery=-(-len(x) // MOST_MARKERS),
        label=label,
    )
    return line


def _attack_success(rows: Sequence[Part]) -> dict[str, list[float]]:
    """Return each attack's success at every level, NaN where it was not measured."""
    measured = [
        found.sets() if (found := row.find("attack_success")) is not None else {} for row in rows
    ]
    names = list(dict.fromkeys(name for row in measured for name in row))
    if len(names) > MOST_SETS:
        rows[0].refuse(f"at most {MOST_SETS} poisoned sets over all levels")
    return {
        name: [
            row[name].number(0, 1) if name in row and row[name].value is not None else np.nan
            for row in measured
        ]
        for name in names
    }


def _draw_budget(axes: Axes, choices: Part) -> list[Line2D]:
    """Draw the lowest accuracy that was agreed to, where it is known."""
    baseline, max_drop = choices.find("baseline_accuracy"), choices.find("max_drop")
    if baseline is None or max_drop is None:
        return []
    before, drop = 100 * baseline.number(0, 1), 100 * max_drop.number(0, 1)
    label = f"accuracy budget {before - drop:.1f} % (at most {drop:.1f} points below {before:.1f})"
    return [axes.axhline(before - drop, color=style.INK, linestyle=":", linewidth=1.2, label=label)]


def _draw_level(axes: Axes, choices: Part) -> None:
    """Mark the level that was kept; its label stands above the axes, clear of the lines."""
    found = choices.find("level")
    if found is None:
        return
    level = found.count()
    axes.axvline(level, color=style.INK, linewidth=1.2)
    left, right = axes.get_xlim()
    side = "left" if level < left + (right - left) / 4 else "center"
    side = "right" if level > right - (right - left) / 4 else side
    axes.annotate(
        f"kept: {level} pruned",
        (level, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha=side,
        fontsize=style.SMALL_POINTS,
    )


def _number(part: Part | None) -> str:
    """Return ` (n = 360)`; nothing where the number is not known."""
    return "" if part is None else f" (n = {part.count()})"
