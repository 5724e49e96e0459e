"""Draw the entropies of clean and poisoned images under superimposition, with the threshold."""

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

BINS = 30

Values = NDArray[np.float64]


def draw_entropies(record: Mapping[str, Any]) -> Figure:
    """Draw one histogram for clean images and one for each poisoned set, on shared bins.

    Args:
        record: Holds `figures.entropies`: `clean`, a list in bits, `poisoned`, such a list by
            name, and the `threshold` in bits, null where nothing is flagged.
    """
    part = Part(dict(record)).get("figures", "entropies")
    clean = part.get("clean").array(1)
    sets = poisoned_entropies(part)
    bins = shared_bins([clean, *sets.values()])
    figure = style.new_figure(3.6 + 0.2 * len(sets), "Entropy under superimposition")
    axes = figure.subplots()
    handles = [_draw_histogram(axes, clean, bins, style.CLEAN, f"clean (n = {len(clean)})")]
    for index, (name, values) in enumerate(sets.items()):
        label = f"poisoned, {style.shown(name)} (n = {len(values)})"
        handles.append(_draw_histogram(axes, values, bins, style.poisoned(index), label))
    handles += draw_threshold(axes, part)
    axes.set(xlabel="entropy (bits)", ylabel="share of images (%)", ylim=(0, None))
    axes.grid(visible=True, axis="y")
    style.legend_below(figure, handles)
    return figure


def poisoned_entropies(part: Part) -> dict[str, Values]:
    """Return the entropies of each poisoned set, in bits; none where none was given."""
    poisoned = part.find("poisoned")
    return {} if poisoned is None else {n: p.array(1) for n, p in poisoned.sets().items()}


def shared_bins(series: list[Values]) -> Values:
    """Return the borders of bins of equal width that hold all values, from 0 bits on."""
    values = np.concatenate(series)
    low, high = min(0.0, float(values.min())), float(values.max())
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def draw_threshold(axes: Axes, part: Part) -> list[Artist]:
    """Draw the threshold as a vertical line, if there is one; return what the legend shows."""
    found = part.find("threshold")
    if found is None:
        return []
    bits = found.number()
    label = f"threshold {bits:.3f} bits: flagged below it"
    return [axes.axvline(bits, color=style.INK, linewidth=1.4, linestyle=(0, (6, 2)), label=label)]


def _draw_histogram(
    axes: Axes, values: Values, bins: Values, look: style.Series, label: str
) -> Artist:
    """Draw shares in percent, each bar being its part of all `values`."""
    counts, _ = np.histogram(values, bins)
    # A filled area for clean and hatched outlines over it: overlapping sets all stay visible.
    filled = not look.hatch
    return axes.stairs(
        100 * counts / len(values),
        bins,
        fill=True,
        facecolor=look.colour if filled else "none",
        alpha=0.45 if filled else 1.0,
        edgecolor=look.colour,
        hatch=look.hatch,
        linewidth=1.3,
        label=label,
    )
