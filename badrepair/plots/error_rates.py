"""Draw false rejections and false acceptances against the threshold of a detector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from badrepair.plots import style
from badrepair.plots.entropies import draw_threshold, poisoned_entropies
from badrepair.plots.parts import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = NDArray[np.float64]


class ErrorRate(NamedTuple):
    """One kind of error on one set of images, at any threshold."""

    label: str
    entropies: Values
    share: Callable[[Values, Values], Values]
    look: style.Series


def draw_error_rates(record: Mapping[str, Any]) -> Figure:
    """Draw both error rates over every threshold, and the operating point.

    Args:
        record: Holds `figures.entropies`: `clean` and `poisoned` in bits, the `threshold`, null
            where nothing is flagged, and the `false_rejection_target`, a share.
    """
    part = Part(dict(record)).get("figures", "entropies")
    found = part.find("threshold")
    rates = _rates(part)
    steps = _steps(rates)
    figure = style.new_figure(3.9 + 0.2 * len(rates), "Error rates against the threshold")
    axes = figure.subplots()
    handles = [_draw_rate(axes, rate, steps) for rate in rates]
    handles += draw_threshold(axes, part)
    handles += _draw_target(axes, part)
    if found is not None:
        for rate in rates:
            _draw_operating_point(axes, rate, found.number())
    axes.set(xlabel="threshold (bits of entropy)", ylabel="share of images (%)", ylim=(-2, 102))
    axes.grid(visible=True, axis="y")
    style.legend_below(figure, handles)
    return figure


def rejected(clean: Values, thresholds: Values) -> Values:
    """Return the share of clean entropies below each threshold."""
    return np.searchsorted(np.sort(clean), thresholds, side="left") / len(clean)


def accepted(poisoned: Values, thresholds: Values) -> Values:
    """Return the share of poisoned entropies not below each threshold."""
    return 1 - rejected(poisoned, thresholds)


def _rates(part: Part) -> list[ErrorRate]:
    """Return the false rejection rate and one false acceptance rate a poisoned set.

    The label gives the value at the threshold, which is hard to read off a curve.
    """
    found = part.find("threshold")
    threshold = np.asarray([-np.inf if found is None else found.number()])
    clean = part.get("clean").array(1)
    value = 100 * rejected(clean, threshold)[0]
    label = f"FRR {value:.1f} %: clean images rejected (n = {len(clean)})"
    rates = [ErrorRate(label, clean, rejected, style.CLEAN)]
    for index, (name, entropies) in enumerate(poisoned_entropies(part).items()):
        value = 100 * accepted(entropies, threshold)[0]
        label = f"FAR {value:.1f} %: {style.shown(name)} accepted (n = {len(entropies)})"
        rates.append(ErrorRate(label, entropies, accepted, style.poisoned(index)))
    return rates


def _steps(rates: list[ErrorRate]) -> Values:
    """Return the thresholds at which some rate changes, with a margin at both ends."""
    values = np.unique(np.concatenate([rate.entropies for rate in rates]))
    margin = 0.03 * (float(values[-1] - values[0]) or 1.0)
    return np.concatenate([[values[0] - margin], values, [values[-1] + margin]])


def _draw_rate(axes: Axes, rate: ErrorRate, steps: Values) -> Artist:
    (line,) = axes.plot(
        steps,
        100 * rate.share(rate.entropies, steps),
        # A rate changes just above an entropy: up to it, the image is not below the threshold.
        drawstyle="steps-pre",
        color=rate.look.colour,
        linestyle=rate.look.line,
        marker=rate.look.marker,
        # The marker stands in the legend and at the operating point only.
        markevery=[],
        label=rate.label,
    )
    return line


def _draw_operating_point(axes: Axes, rate: ErrorRate, threshold: float) -> None:
    share = 100 * rate.share(rate.entropies, np.asarray([threshold]))
    axes.plot(
        [threshold],
        share,
        color=rate.look.colour,
        marker=rate.look.marker,
        markersize=8,
        markeredgecolor="white",
        zorder=5,
    )


def _draw_target(axes: Axes, part: Part) -> list[Artist]:
    found = part.find("false_rejection_target")
    if found is None:
        return []
    target = 100 * found.number(0, 1)
    label = f"false rejections aimed at: {target:g} %"
    return [axes.axhline(target, color=style.INK, linestyle=":", linewidth=1.2, label=label)]
