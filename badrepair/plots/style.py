"""How every figure looks: 600 px wide, 9 pt and larger, told apart without colour too.

Colours: Okabe and Ito, "Color Universal Design", 2008. Each series also has a line style, a
marker and a hatch of its own, for greyscale print.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

    LineStyle = str | tuple[int, tuple[float, ...]]

WIDTH_INCHES = 6.0
SMALL_POINTS = 9.0
LONGEST_NAME = 34
INK = "#333333"

STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": False,
    "axes.labelsize": 10.0,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10.0,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100.0,
    "figure.titlesize": 11.0,
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.7,
    "hatch.linewidth": 0.7,
    "legend.fontsize": SMALL_POINTS,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.0,
    "svg.hashsalt": "badrepair",
    "xtick.labelsize": SMALL_POINTS,
    "ytick.labelsize": SMALL_POINTS,
}


@dataclass(frozen=True)
class Series:
    """What tells one series from the others, in colour and without."""

    colour: str
    marker: str
    line: LineStyle
    hatch: str


CLEAN = Series("#0072B2", "o", "-", "")
_POISONED = (
    Series("#D55E00", "s", (0, (4.0, 1.5)), "////"),
    Series("#009E73", "^", (0, (6.0, 1.5, 1.0, 1.5)), "\\\\\\\\"),
    Series("#CC79A7", "D", (0, (1.0, 1.2)), "...."),
    Series("#E69F00", "v", (0, (8.0, 2.0)), "xxxx"),
    Series("#56B4E9", "P", (0, (3.0, 1.0, 1.0, 1.0, 1.0, 1.0)), "++++"),
    Series("#000000", "X", (0, (2.0, 2.0)), "----"),
)


def poisoned(index: int) -> Series:
    """Return the look of the poisoned set number `index`, counted from 0."""
    return _POISONED[index % len(_POISONED)]


def new_figure(height_inches: float, title: str) -> Figure:
    """Return an empty figure of the common width under a title."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    figure.suptitle(title)
    return figure


def tiles(figure: Figure | SubFigure, down: int, across: int) -> list[Axes]:
    """Return places for pictures, row by row, without anything drawn around them."""
    places = list(figure.subplots(down, across, squeeze=False).ravel())
    for axes in places:
        axes.set_axis_off()
    return places


def legend_below(figure: Figure, handles: Sequence[Artist]) -> None:
    """Explain the series under the axes, one a line, so that long names fit."""
    labels = [str(handle.get_label()) for handle in handles]
    figure.legend(list(handles), labels, loc="outside lower left", ncols=1)


def shown(name: str, longest: int = LONGEST_NAME) -> str:
    """Return a user's name as a figure can show it.

    Unprintable characters become spaces, the middle of a long name is left out, and `$` does
    not start a formula. No label starts with such a name: a legend hides those that start
    with an underscore.
    """
    plain = "".join(letter if letter.isprintable() else " " for letter in name)
    if len(plain) > longest:
        tail = longest // 3
        plain = f"{plain[: longest - tail - 1]}…{plain[-tail:]}"
    return plain.replace("$", r"\$")
