"""Draw after how many overlays a detector that stops early has decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from badrepair.plots import style
from badrepair.plots.parts import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = NDArray[np.float64]


def draw_overlays_used(record: Mapping[str, Any]) -> Figure:
    """Draw the share of images that are decided after so many overlays, one line a set.

    Args:
        record: Holds `figures.overlays_used`: `of`, the number of overlays, and how many each
            image took: `clean`, a list, and `poisoned`, such a list by name.
    """
    part = Part(dict(record)).get("figures", "overlays_used")
    of = part.get("of").count()
    if not of:
        part.get("of").refuse("one overlay or more")
    poisoned = part.find("poisoned")
    sets = {} if poisoned is None else poisoned.sets()
    figure = style.new_figure(3.5 + 0.2 * len(sets), "How many overlays a decision takes")
    axes = figure.subplots()
    handles = [_draw_set(axes, _used(part.get("clean"), of), of, "clean", style.CLEAN)]
    for index, (name, found) in enumerate(sets.items()):
        label = f"poisoned, {style.shown(name)}"
        handles.append(_draw_set(axes, _used(found, of), of, label, style.poisoned(index)))
    axes.set(
        xlabel="overlays looked at (number)",
        ylabel="images decided (%)",
        # Room for what rises at the very end.
        xlim=(0, 1.02 * of),
        ylim=(-2, 102),
    )
    axes.locator_params(axis="x", integer=True)
    axes.grid(visible=True, axis="y")
    style.legend_below(figure, handles)
    return figure


def decided(used: Values, of: int) -> tuple[Values, Values]:
    """Return numbers of overlays and the share decided by then in percent, rising, from 0 to `of`.

    Args:
        used: How many overlays each image took.
        of: How many there are.
    """
    numbers, images = np.unique(used, return_counts=True)
    shares = 100 * np.cumsum(images) / len(used)
    return np.r_[0.0, numbers, of], np.r_[0.0, shares, shares[-1]]


def _used(part: Part, of: int) -> Values:
    """Return how many overlays each image took: whole numbers from 0 to `of`."""
    used = part.array(1)
    if (used != np.rint(used)).any() or used.min() < 0 or used.max() > of:
        part.refuse(f"whole numbers from 0 to {of}")
    return used


def _draw_set(axes: Axes, used: Values, of: int, name: str, look: style.Series) -> Artist:
    numbers, shares = decided(used, of)
    label = f"{name}: {used.mean():.1f} of {of} overlays on average (n = {len(used)})"
    (line,) = axes.plot(
        numbers,
        shares,
        drawstyle="steps-post",
        color=look.colour,
        linestyle=look.line,
        label=label,
    )
    return line
