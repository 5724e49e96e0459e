"""Draw sample images with what they are labelled and what the model answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from badrepair.plots import style
from badrepair.plots.parts import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

ACROSS = 6
MOST_OF_A_SET = 12
ROW_INCHES = 1.45


def draw_samples(record: Mapping[str, Any]) -> Figure:
    """Draw the first images of every set under the set's name.

    Args:
        record: Holds `figures.samples`, a list of {`set`, its name, `label`, `answer`, `png` in
            base64}.
    """
    sets = Part(dict(record)).get("figures", "samples").by_set()
    rows = [-(-min(len(samples), MOST_OF_A_SET) // ACROSS) for samples in sets.values()]
    height = 0.4 + ROW_INCHES * sum(rows) + 0.3 * len(rows)
    figure = style.new_figure(height, "Sample images")
    parts = figure.subfigures(len(sets), 1, height_ratios=rows, squeeze=False)
    for row, (name, samples), down in zip(parts[:, 0], sets.items(), rows, strict=True):
        _draw_set(row, name, samples, down)
    return figure


def _draw_set(figure: SubFigure, name: str, samples: list[Part], down: int) -> None:
    shown = samples[:MOST_OF_A_SET]
    figure.suptitle(
        f"{style.shown(name)} ({len(shown)} of {len(samples)} images)"
        if len(shown) < len(samples)
        else f"{style.shown(name)} (n = {len(samples)})",
        fontsize=10,
    )
    for axes, sample in zip(style.tiles(figure, down, ACROSS), shown, strict=False):
        _draw_sample(axes, sample)


def _draw_sample(axes: Axes, sample: Part) -> None:
    label, answer = sample.get("label").count(), sample.get("answer").count()
    axes.imshow(sample.get("png").image(), interpolation="nearest")
    axes.set_title(
        f"label {label}\nanswer {answer}",
        fontsize=style.SMALL_POINTS,
        fontweight="normal" if label == answer else "bold",
    )
