"""Draw what an attack does to images: clean, poisoned, and the difference between the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair.plots import style
from badrepair.plots.parts import Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

PANELS = ("clean", "poisoned", "difference")
ACROSS = 2 * len(PANELS)
ROW_INCHES = 1.4
WHITE = 255


def draw_pairs(record: Mapping[str, Any]) -> Figure:
    """Draw some images of every trigger as they are and as the attacker leaves them.

    Args:
        record: Holds `figures.pairs`, a list of {`set`, the trigger's name, `label`, `target`,
            `clean` and `poisoned`, both PNG in base64 and of one size}.
    """
    sets = Part(dict(record)).get("figures", "pairs").by_set()
    rows = [-(-len(pairs) * len(PANELS) // ACROSS) for pairs in sets.values()]
    figure = style.new_figure(0.4 + ROW_INCHES * sum(rows) + 0.4 * len(rows), "The trigger")
    parts = figure.subfigures(len(sets), 1, height_ratios=rows, squeeze=False)
    for below, (name, pairs), down in zip(parts[:, 0], sets.items(), rows, strict=True):
        _draw_set(below, name, pairs, down)
    return figure


def _draw_set(figure: SubFigure, name: str, pairs: Sequence[Part], down: int) -> None:
    images = [(_image(pair, "clean"), _image(pair, "poisoned")) for pair in pairs]
    for pair, (clean, poisoned) in zip(pairs, images, strict=True):
        if clean.shape != poisoned.shape:
            pair.refuse("two images of one size")
    largest = max(np.abs(poisoned - clean).max() for clean, poisoned in images)
    factor = WHITE / max(largest, 1)
    told = f"{factor:.3g}"
    shown = "" if told == "1" or not largest else f", shown {told} times as large"
    figure.suptitle(f"{style.shown(name)} (differences of up to {largest:.0f}{shown})", fontsize=10)
    places = iter(style.tiles(figure, down, ACROSS))
    for pair, (clean, poisoned) in zip(pairs, images, strict=True):
        changed = np.abs(poisoned - clean) * factor
        label, target = pair.get("label").count(), pair.get("target").count()
        words = (f"clean\nlabel {label}", f"poisoned\ntarget {target}", "difference\n")
        for said, image in zip(words, (clean, poisoned, changed), strict=True):
            _draw(next(places), image, said)


def _image(pair: Part, key: str) -> Any:
    return pair.get(key).image().astype(np.float64)


def _draw(axes: Axes, image: Any, title: str) -> None:
    pixels = np.clip(np.rint(image), 0, WHITE).astype(np.uint8)
    axes.imshow(pixels, interpolation="nearest")
    axes.set_title(title, fontsize=style.SMALL_POINTS)
