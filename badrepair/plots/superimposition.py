"""Draw how STRIP works: an image, an overlay, their mix, and the same with a poisoned image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from badrepair.plots import style
from badrepair.plots.parts import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 3
MOST_STEPS = 12
LONGEST_TITLE = 26


def draw_superimposition(record: Mapping[str, Any]) -> Figure:
    """Draw the images one after the other, each mix with the entropy of the model's answer.

    Args:
        record: Holds `figures.superimposition`, a list of {`title`, `png` in base64, `entropy`
            in bits or null}.
    """
    part = Part(dict(record)).get("figures", "superimposition")
    steps = part.items()
    if len(steps) > MOST_STEPS:
        part.refuse(f"at most {MOST_STEPS} images")
    across = 2 if len(steps) in (2, 4) else ACROSS
    down = -(-len(steps) // across)
    title = "Superimposition: an answer that survives the mix is suspicious"
    figure = style.new_figure(0.5 + 2.4 * down, title)
    places = style.tiles(figure, down, across)
    # Five are image, overlay, mix, poisoned image and its mix: one mix stands below the other.
    chosen = [*places[:4], places[5]] if len(steps) == 5 else places
    for axes, step in zip(chosen, steps, strict=False):
        _draw_step(axes, step)
    return figure


def _draw_step(axes: Axes, step: Part) -> None:
    axes.set_axis_on()
    axes.imshow(step.get("png").image(), interpolation="nearest")
    axes.set_title(style.shown(step.get("title").text(), LONGEST_TITLE))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    entropy = step.find("entropy")
    if entropy is not None:
        axes.set_xlabel(f"entropy {entropy.number():.2f} bits")
