"""Draw the images that a detector finds most suspicious, and those that it finds least so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from badrepair.plots import style
from badrepair.plots.parts import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

ACROSS = 5
MOST_IMAGES = 10
ROW_INCHES = 1.85
LONGEST_SET = 14
ENDS = {"most": "Most suspicious", "least": "Least suspicious"}


def draw_extremes(record: Mapping[str, Any]) -> Figure:
    """Draw up to ten images of each end with their entropy, their p-value and their set.

    Args:
        record: Holds `figures.extremes`: `most` and `least`, each a list of {`png` in base64,
            `entropy` in bits, `p_value` in [0, 1], `set`, its name}, the most extreme first.
    """
    part = Part(dict(record)).get("figures", "extremes")
    ends = {title: _images(part, end) for end, title in ENDS.items() if _is_there(part, end)}
    if not ends:
        part.refuse("images under `most` or `least`")
    rows = [-(-len(images) // ACROSS) for images in ends.values()]
    height = 0.3 + sum(0.35 + ROW_INCHES * down for down in rows)
    figure = style.new_figure(height, "The two ends of the scale")
    parts = figure.subfigures(len(ends), 1, height_ratios=rows, squeeze=False)
    for row, (title, images), down in zip(parts[:, 0], ends.items(), rows, strict=True):
        _draw_end(row, title, images, down)
    return figure


def _is_there(part: Part, end: str) -> bool:
    found = part.find(end)
    return found is not None and found.value != []


def _images(part: Part, end: str) -> tuple[Part, ...]:
    images = part.get(end).items()
    if len(images) > MOST_IMAGES:
        part.get(end).refuse(f"at most {MOST_IMAGES} images")
    return images


def _draw_end(figure: SubFigure, title: str, images: tuple[Part, ...], down: int) -> None:
    figure.suptitle(title, fontsize=10)
    for axes, image in zip(style.tiles(figure, down, ACROSS), images, strict=False):
        _draw_image(axes, image)


def _draw_image(axes: Axes, image: Part) -> None:
    axes.imshow(image.get("png").image(), interpolation="nearest")
    name = style.shown(image.get("set").text(), LONGEST_SET)
    entropy, p_value = image.get("entropy").number(), image.get("p_value").number(0, 1)
    axes.set_title(f"{name}\n{entropy:.3g} bits\np = {p_value:.3g}", fontsize=style.SMALL_POINTS)
