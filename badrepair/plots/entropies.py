"""Draw the entropies of clean and poisoned images under superimposition, with the threshold."""

from __future__ import annotations

import math
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
# Which p-values stand on the upper axis, those that matter most first; the next ones only where
# they do not come too close, as a share of the axis.
P_VALUES = (0.01, 0.5, 0.05, 0.25, 0.001)
CLOSEST = 0.07

Values = NDArray[np.float64]


def draw_entropies(record: Mapping[str, Any]) -> Figure:
    """Draw one histogram for clean images and one for each poisoned set, on shared bins.

    Args:
        record: Holds `figures.entropies`: `clean`, a list in bits, `poisoned`, such a list by
            name, and the `threshold` in bits, null where nothing is flagged. Where there are the
            entropies of clean `calibration` images, p-values stand above the histograms.
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
    _draw_p_values(axes, part)
    style.legend_below(figure, handles)
    return figure


def _draw_p_values(axes: Axes, part: Part) -> None:
    """Say on an upper axis what share of clean images has so low an entropy, or a lower one."""
    found = part.find("calibration")
    if found is None:
        return
    calibration = found.array(1)
    places = {p: bits for p in P_VALUES if (bits := entropy_at(calibration, p)) is not None}
    low, high = axes.get_xlim()
    shown: dict[float, float] = {}
    for p, bits in places.items():
        inside = low <= bits <= high
        if inside and all(abs(bits - other) >= CLOSEST * (high - low) for other in shown.values()):
            shown[p] = bits
    if not shown:
        return
    upper = axes.secondary_xaxis("top")
    upper.set_xticks(list(shown.values()), [f"{p:g}" for p in shown])
    upper.set_xlabel("p-value (share of clean images as suspicious or more)")


def entropy_at(calibration: Values, p: float) -> float | None:
    """Return the smallest entropy whose conformal p-value is at least p.

    The p-value is (1 + the number of calibration entropies up to it) / (n + 1). None where it is
    reached by every entropy, however small.
    """
    # Rounding guards the ceiling against 10.000000000000002.
    below = math.ceil(round(p * (len(calibration) + 1), 9)) - 1
    return float(np.sort(calibration)[below - 1]) if below > 0 else None


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
    label = f"threshold {bits:#.3g} bits: flagged below it"
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
