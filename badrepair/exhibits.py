"""What a record keeps so that figures can be drawn without running anything again."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from badrepair.models import inference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import keras
    from numpy.typing import NDArray

    from badrepair.detectors.fitted_strip import FittedStrip
    from badrepair.models.pruner import ChannelPruner
    from badrepair.poisoning import Trigger
    from badrepair.types import Dataset, Labels
    from badrepair.views import Array

# Enough to see a pattern, few enough to be quick on a large file.
IMAGES_FOR_ACTIVATIONS = 1000
SAMPLES = 6
EXTREMES = 10
PAIRS = 6
# As many as a figure shows.
TRIGGERS = 12
_WHITE = 255.0


def activations(
    pruner: ChannelPruner, order: Labels, clean: Dataset, poisoned: Sequence[Dataset]
) -> dict[str, Any]:
    """Return the mean activation map of every channel of a layer, clean and poisoned.

    Args:
        pruner: Of the network before its repair; of several layers, the last one is shown.
        order: The channels in the order in which they go.
        clean: Test images.
        poisoned: One set a trigger.
    """
    layer = pruner.sites[-1].layer.name
    sets = {"clean": clean, **{data.name: data for data in poisoned}}
    first = {name: data.take(_spread(len(data))) for name, data in sets.items()}
    maps = {name: _rounded(pruner.mean_maps(data.images)[-1]) for name, data in first.items()}
    return {
        "layer": layer,
        "clean": maps.pop("clean"),
        "poisoned": maps,
        "n": {name: len(data) for name, data in first.items()},
        "order": pruner.by_layer(order)[layer],
    }


def samples(
    model: keras.Model, clean: Dataset, poisoned: Sequence[Dataset], input_range: str
) -> list[dict[str, Any]]:
    """Return a few images of every set with their labels and the model's answers."""
    shown = []
    for name, data in (("clean", clean), *((data.name, data) for data in poisoned)):
        few = data.take(_spread(len(data), SAMPLES))
        answers = inference.answers(model, few.images)
        shown += [
            {
                "set": name,
                "label": int(label),
                "answer": int(answer),
                "png": png(image, _white(image, input_range)),
            }
            for image, label, answer in zip(few.images[:], few.labels, answers, strict=True)
        ]
    return shown


def pairs(triggers: Sequence[Trigger], clean: Dataset) -> list[dict[str, Any]]:
    """Return a few images for every trigger, as they are and as the attacker leaves them.

    Args:
        triggers: Each shows on images that it is meant for; those beyond a figure's are left out.
        clean: Images in 0..255.
    """
    shown = []
    for trigger in triggers[:TRIGGERS]:
        victims = clean.take(trigger.victims(clean.labels))
        few = victims.take(_spread(len(victims), PAIRS))
        stamped = trigger.poisoned(few)
        shown += [
            {
                "set": trigger.name,
                "label": int(label),
                "target": int(target),
                "clean": png(before, _WHITE),
                "poisoned": png(after, _WHITE),
            }
            for before, after, label, target in zip(
                few.images[:], stamped.images[:], few.labels, stamped.labels, strict=True
            )
        ]
    return shown


def superimposition(
    detector: FittedStrip, clean: Dataset, poisoned: Sequence[Dataset], input_range: str
) -> list[dict[str, Any]]:
    """Return an image, an overlay, their mix, and the same for a poisoned image.

    Entropies are those of the whole bank of overlays, in bits.
    """
    overlay = detector.overlays[0]
    panels = [*_mixed(detector, clean, "image", "mix", overlay)]
    panels.insert(1, ("overlay", overlay, None))
    if poisoned:
        panels += _mixed(detector, poisoned[0], "poisoned image", "poisoned mix", overlay)
    return [
        {"title": title, "png": png(image, _white(image, input_range)), "entropy": entropy}
        for title, image, entropy in panels
    ]


def _mixed(
    detector: FittedStrip, data: Dataset, title: str, mix_title: str, overlay: Array
) -> list[tuple[str, Array, float | None]]:
    image = np.asarray(data.images[:1], np.float32)
    entropy = float(detector.score(image)[0])
    first, second = detector.superimposer.weights
    mix = first * image[0] + second * overlay
    return [(title, image[0], None), (mix_title, mix, entropy)]


def extremes(
    images_by_set: Mapping[str, Dataset],
    scores_by_set: Mapping[str, NDArray[np.float64]],
    p_values_by_set: Mapping[str, NDArray[np.float64]],
    input_range: str,
    *,
    most: int = EXTREMES,
) -> dict[str, list[dict[str, Any]]]:
    """Return the most and the least suspicious images of all sets together, no image twice.

    Args:
        images_by_set: By name, "clean" and each trigger.
        scores_by_set: Entropies of the same images in bits; the lowest is the most suspicious.
        p_values_by_set: How many clean images look as suspicious, in (0, 1].
        input_range: "0-1" or "0-255", or another one of which the largest value is white.
        most: How many of each.
    """
    rows = [(name, row) for name, data in images_by_set.items() for row in range(len(data))]
    scores = np.concatenate([scores_by_set[name] for name in images_by_set] or [np.empty(0)])
    order = np.argsort(scores, kind="stable")
    first = min(most, -(-len(rows) // 2))
    chosen = {"most": order[:first], "least": order[first:][::-1][:most]}

    def shown(name: str, row: int) -> dict[str, Any]:
        image = images_by_set[name].images[np.array([row])][0]
        return {
            "set": name,
            "entropy": float(scores_by_set[name][row]),
            "p_value": float(p_values_by_set[name][row]),
            "png": png(image, _white(image, input_range)),
        }

    return {end: [shown(*rows[index]) for index in indices] for end, indices in chosen.items()}


def png(image: Array, white: float) -> str:
    """Return a picture as base64 PNG.

    Args:
        image: Shape (H, W, C) with C 1 or 3; other numbers of channels show the first.
        white: The value that is shown as white; 0 is black.
    """
    channels = image if image.shape[-1] == 3 else image[..., 0]
    bytes_ = np.clip(np.rint(channels / white * 255), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(bytes_).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _white(image: Array, input_range: str) -> float:
    """Return what to show as white: the range's upper end, or the peak of a brighter mix."""
    top = {"0-1": 1.0, "0-255": 255.0}.get(input_range, 0.0)
    return float(max(top, image.max())) or 1.0


def _spread(n: int, wanted: int = IMAGES_FOR_ACTIVATIONS) -> NDArray[np.int64]:
    """Return at most `wanted` row numbers, evenly spread over n."""
    return np.unique(np.linspace(0, n - 1, min(n, wanted)).astype(np.int64))


def _rounded(maps: NDArray[np.float32]) -> list[Any]:
    """Return nested lists with four significant digits: a figure shows no more."""
    with np.errstate(divide="ignore"):
        digits = 3 - int(np.floor(np.log10(max(float(np.abs(maps).max()), 1e-30))))
    rounded: list[Any] = np.round(maps.astype(np.float64), digits).tolist()
    return rounded
