"""Draw the mean activation map of every channel, for clean and for poisoned images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import CenteredNorm, Normalize
from numpy.typing import NDArray

from badrepair.plots import style
from badrepair.plots.parts import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

ACTIVATION_COLOURS = "viridis"
DIFFERENCE_COLOURS = "RdBu_r"
NAME_ABOVE_PANEL = 23
MOST_TICKS = 8

Maps = NDArray[np.float64]


def draw_activations(record: Mapping[str, Any]) -> Figure:
    """Draw one grid of channels for clean images, and two for each poisoned set.

    All activations share one colour scale, all differences another one centred on 0.

    Args:
        record: Holds `figures.activations`: `layer`, `clean` (C, h, w), `poisoned` (C, h, w) by
            name, `n` images by name with the clean ones under `clean`, and the `order` in
            which channels are shown, the idlest on clean images first.
    """
    part = Part(dict(record)).get("figures", "activations")
    clean, sets = _maps(part)
    everything = np.stack([clean, *sets.values()])
    scale = Normalize(min(0.0, everything.min()), max(0.0, everything.max()) or 1.0)
    change = CenteredNorm(0, np.abs(everything - clean).max() or 1.0)

    layer = style.shown(part.get("layer").text())
    title = f"Mean activation of each channel of {layer}"
    figure = style.new_figure(0.5 + 2.6 * (1 + len(sets)), title)
    panels = figure.subplots(1 + len(sets), 2, squeeze=False)
    numbering = "channel (in layer order)" if part.find("order") is None else "channel (idlest = 1)"
    for axes in panels[:, 0]:
        axes.set_ylabel(numbering)
    image = _draw_grid(panels[0, 0], clean, scale, f"clean{_number(part, 'clean')}")
    differences: list[AxesImage] = []
    for (left, right), (name, maps) in zip(panels[1:], sets.items(), strict=True):
        shown = style.shown(name, NAME_ABOVE_PANEL)
        _draw_grid(left, maps, scale, f"{shown}{_number(part, name)}")
        differences.append(_draw_grid(right, maps - clean, change, f"{shown} minus clean"))
        right.set_yticks([])
    _explain(figure, panels[0, 1], image, differences[:1])
    return figure


def _maps(part: Part) -> tuple[Maps, dict[str, Maps]]:
    """Return the clean and the poisoned maps (C, h, w), in the order in which they are shown."""
    clean = part.get("clean").array(3)
    order = _order(part, len(clean))
    poisoned = part.find("poisoned")
    sets = {}
    for name, found in (poisoned.sets() if poisoned else {}).items():
        maps = found.array(3)
        if maps.shape != clean.shape:
            found.refuse(f"maps of the shape {clean.shape} of the clean ones, not {maps.shape}")
        sets[name] = maps[order]
    return clean[order], sets


def _order(part: Part, channels: int) -> NDArray[np.intp]:
    found = part.find("order")
    if found is None:
        return np.arange(channels)
    order = found.array(1)
    if not np.array_equal(np.sort(order), np.arange(channels)):
        found.refuse(f"each channel from 0 to {channels - 1} once")
    return order.astype(np.intp)


def _number(part: Part, name: str) -> str:
    """Return ` (n = 360)`; nothing where the number is not known."""
    found = part.find("n", name)
    return "" if found is None else f" (n = {found.count()})"


def _draw_grid(axes: Axes, maps: Maps, scale: Normalize, title: str) -> AxesImage:
    """Draw the maps (C, h, w) as tiles that read like text, with the number of each row's first."""
    channels, height, width = maps.shape
    across = columns(channels, height, width)
    down = -(-channels // across)
    centred = isinstance(scale, CenteredNorm)
    colours = DIFFERENCE_COLOURS if centred else ACTIVATION_COLOURS
    grid = mosaic(maps, across)
    image = axes.imshow(grid, cmap=colours, norm=scale, interpolation="nearest")
    axes.set_title(title, fontsize=style.SMALL_POINTS)
    every = -(-down // MOST_TICKS)
    rows = np.arange(0, down, every)
    axes.set_yticks(rows * height + (height - 1) / 2, [str(across * row + 1) for row in rows])
    axes.set_yticks(np.arange(1, down) * height - 0.5, minor=True)
    axes.set_xticks(np.arange(1, across) * width - 0.5, minor=True)
    axes.set_xticks([])
    axes.grid(visible=True, which="minor", color="#bbbbbb" if centred else "white", linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    return image


def mosaic(maps: Maps, across: int) -> Maps:
    """Return the maps (C, h, w) in rows of `across`, NaN where no channel is left."""
    channels, height, width = maps.shape
    down = -(-channels // across)
    grid = np.full((down * across, height, width), np.nan)
    grid[:channels] = maps
    tiles = grid.reshape(down, across, height, width).swapaxes(1, 2)
    return tiles.reshape(down * height, across * width)


def columns(channels: int, height: int, width: int) -> int:
    """Return how many maps stand in a row so that the grid comes out about square."""
    return min(channels, math.ceil(math.sqrt(channels * height / width)))


def _explain(figure: Figure, axes: Axes, image: AxesImage, differences: list[AxesImage]) -> None:
    """Fill the panel beside the clean grid with the colour bars."""
    axes.set_axis_off()
    bars = [(image, "mean activation"), *((d, "difference from clean") for d in differences)]
    for index, (drawn, label) in enumerate(bars):
        place = axes.inset_axes((0.05, 0.72 - 0.42 * index, 0.9, 0.08))
        figure.colorbar(drawn, cax=place, orientation="horizontal", label=label)
