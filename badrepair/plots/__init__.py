"""Turn a record into figures: values in, a Matplotlib figure out. Nothing is saved or shown.

`draw` makes a figure of one kind, `render` turns it into the bytes of a PNG or SVG file.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import matplotlib as mpl
import matplotlib.style as mpl_style
import numpy as np

from badrepair.errors import DataError, OptionError
from badrepair.plots import style
from badrepair.plots.activations import draw_activations
from badrepair.plots.curve import draw_curve
from badrepair.plots.entropies import draw_entropies
from badrepair.plots.error_rates import draw_error_rates
from badrepair.plots.extremes import draw_extremes
from badrepair.plots.overlays_used import draw_overlays_used
from badrepair.plots.pairs import draw_pairs
from badrepair.plots.roc import draw_roc
from badrepair.plots.samples import draw_samples
from badrepair.plots.superimposition import draw_superimposition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure

DOTS_PER_INCH = 200
# Of a place in a figure whose sides are 1: far less than a pixel.
DIGITS = 6


Suffix = Literal["png", "svg"]


class Kind(NamedTuple):
    """One kind of figure.

    Args:
        needs: Where the part of a record stands that the figure cannot do without.
        draw: Makes the figure from a record that holds that part.
    """

    needs: tuple[str, ...]
    draw: Callable[[Mapping[str, Any]], Figure]


KINDS: Mapping[str, Kind] = {
    "activations": Kind(("figures", "activations"), draw_activations),
    "curve": Kind(("curve",), draw_curve),
    "entropies": Kind(("figures", "entropies"), draw_entropies),
    "error-rates": Kind(("figures", "entropies"), draw_error_rates),
    "extremes": Kind(("figures", "extremes"), draw_extremes),
    "overlays-used": Kind(("figures", "overlays_used"), draw_overlays_used),
    "pairs": Kind(("figures", "pairs"), draw_pairs),
    "roc": Kind(("figures", "entropies", "poisoned"), draw_roc),
    "samples": Kind(("figures", "samples"), draw_samples),
    "superimposition": Kind(("figures", "superimposition"), draw_superimposition),
}


def available(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the kinds of figures for which the record holds what they need."""
    return tuple(name for name, kind in KINDS.items() if _holds(record, kind.needs))


def draw(kind: str, record: Mapping[str, Any]) -> Figure:
    """Return a figure of one kind, 6 inches wide.

    Raises:
        OptionError: There is no such kind.
        DataError: The record lacks the needed part (`FigureNotInRecord`), or something in it
            has not the right shape (`RecordInvalid`).
    """
    if kind not in KINDS:
        raise OptionError("FigureUnknown", kind, f"expected one of {', '.join(KINDS)}")
    if not _holds(record, KINDS[kind].needs):
        held = ", ".join(available(record)) or "no figure"
        raise DataError(
            "FigureNotInRecord",
            kind,
            f"expected `{'.'.join(KINDS[kind].needs)}` in the record, which holds {held}",
            "draw one of these, or take the record of another command",
        )
    # The user's own matplotlibrc must not change what is drawn.
    with mpl_style.context(["default", style.STYLE]):
        return KINDS[kind].draw(record)


def render(figure: Figure, suffix: Suffix, *, dots_per_inch: int = DOTS_PER_INCH) -> bytes:
    """Return the bytes of an image file; the same figure gives the same bytes every time."""
    metadata = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    if suffix not in metadata:
        raise OptionError("FigureFormat", suffix, "expected png or svg")
    buffer = io.BytesIO()
    _settle(figure)
    with warnings.catch_warnings(), mpl.rc_context({"svg.hashsalt": style.STYLE["svg.hashsalt"]}):
        # A name in a script that the font lacks is drawn as boxes, which says enough.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format=suffix, dpi=dots_per_inch, metadata=metadata[suffix])
    return buffer.getvalue()


def _settle(figure: Figure) -> None:
    """Lay the figure out once and for all: the last bits of that differ from run to run."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for part in figure.subfigs:
        part.bbox_relative.set_points(np.round(part.bbox_relative.get_points(), DIGITS))
    for axes in figure.axes:
        axes.set_position(np.round(axes.get_position().bounds, DIGITS))


def _holds(record: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    value: Any = record
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return bool(value)
