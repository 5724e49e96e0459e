"""Which value range images have and which one a model takes: found by measuring, never assumed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.stats import binomtest

from badrepair.errors import DataError
from badrepair.types import stratified_order
from badrepair.views import Mapped, Selected, batches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from badrepair.types import Dataset
    from badrepair.views import Array, Images

StoredRange = Literal["0-1", "0-255"]
ModelRange = Literal["0-1", "0-255", "as-is"]
RANGES: tuple[StoredRange, StoredRange] = ("0-1", "0-255")
_SAMPLED_ROWS = 1_000
_ROWS_AT_ONCE = 50
SIGNIFICANT = 0.05
LEANING = 0.01
_WHITE = np.float32(255)


@dataclass(frozen=True, kw_only=True)
class RangeTrial:
    """How a model answers the same clean images in both ranges.

    Args:
        accuracies: Clean accuracy under each range, in [0, 1].
        n: Number of images that were scored.
        p_value: Chance of so uneven a result if the ranges were equally good (exact McNemar
            test: only images that are right in one range and wrong in the other count).
    """

    accuracies: Mapping[str, float]
    n: int
    p_value: float

    @property
    def best(self) -> StoredRange:
        """Return the range with the higher clean accuracy."""
        return max(RANGES, key=self.accuracies.__getitem__)

    @property
    def decisive(self) -> bool:
        """Return whether chance explains the difference badly."""
        return self.p_value < SIGNIFICANT

    def allows(self, name: StoredRange) -> bool:
        """Return whether clean accuracy does not lean the other way by more than a point."""
        return self.accuracies[name] >= max(self.accuracies.values()) - LEANING

    @property
    def sentence(self) -> str:
        """Return what was seen, in one line."""
        worst = next(name for name in RANGES if name != self.best)
        found = f"the model takes {_dots(self.best)}" if self.decisive else "the range is in doubt"
        return (
            f"{found}: clean accuracy {_percent(self.accuracies[self.best])} at"
            f" {_dots(self.best)} against {_percent(self.accuracies[worst])} at {_dots(worst)}"
            f" ({self.n} images)"
        )


def stored_range(dataset: Dataset) -> StoredRange:
    """Return the range that the pixels fill, judged by up to 1,000 rows spread over the data.

    Raises:
        DataError: If they fill neither 0..1 nor 0..255.
    """
    return range_of(dataset.images, dataset.name)


def range_of(images: Images, name: str) -> StoredRange:
    """Return the same of images alone; pixels that are NaN or infinite do not count.

    Args:
        images: Shape (N, H, W, C).
        name: What to call them in errors.
    """
    rows = np.unique(np.linspace(0, len(images) - 1, min(len(images), _SAMPLED_ROWS)).astype(int))
    parts = (part[np.isfinite(part)] for part in batches(Selected(images, rows), _ROWS_AT_ONCE))
    sample = [(part.min(), part.max()) for part in parts if len(part)]
    if not sample:
        raise DataError("RangeUnknown", name, "expected pixels, found none that are finite")
    low, high = min(low for low, _ in sample), max(high for _, high in sample)
    if low >= 0 and high <= 1:
        return "0-1"
    if low < 0 or high <= 2 or high > _WHITE:
        problem = f"expected pixels in 0..1 or 0..255, found {low:g}..{high:g}"
        raise DataError("RangeUnknown", name, problem, "--input-range as-is")
    return "0-255"


def scaled(dataset: Dataset, stored: StoredRange, model_range: ModelRange) -> Dataset:
    """Return the data in the range that the model takes; pixels are scaled as they are read.

    Args:
        dataset: Images in the stored range.
        stored: That range.
        model_range: The range to return; "as-is" changes nothing.
    """
    images = scaled_images(dataset.images, stored, model_range)
    return dataset if images is dataset.images else replace(dataset, images=images)


def scaled_images(images: Images, stored: StoredRange, model_range: ModelRange) -> Images:
    """Return the same of images alone."""
    if model_range in {stored, "as-is"}:
        return images
    scale = to_unit if model_range == "0-1" else _to_bytes
    return Mapped(images, scale, images.shape[1:])


def try_ranges(
    clean: Dataset, right_of: Callable[[Dataset], NDArray[np.bool_]], sample: int = 1_000
) -> RangeTrial:
    """Let a model answer clean images in each range.

    Args:
        clean: Clean images in their stored range.
        right_of: Returns which images of a data set the model answers with their label.
        sample: Number of images to score, all classes in proportion.
    """
    stored = stored_range(clean)
    part = clean.take(np.sort(stratified_order(clean.labels, 0)[:sample]))
    unit, byte = (right_of(scaled(part, stored, name)) for name in RANGES)
    only_unit, only_byte = int(np.sum(unit & ~byte)), int(np.sum(byte & ~unit))
    differing = only_unit + only_byte
    return RangeTrial(
        accuracies={"0-1": float(unit.mean()), "0-255": float(byte.mean())},
        n=len(part),
        p_value=float(binomtest(only_unit, differing).pvalue) if differing else 1.0,
    )


def to_unit(pixels: Array) -> Array:
    """Return pixels of 0..255 in 0..1."""
    # Divided, not multiplied by the reciprocal: the last bit is then that of `x / 255`.
    return pixels / _WHITE


def _to_bytes(pixels: Array) -> Array:
    return pixels * _WHITE


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _dots(name: StoredRange) -> str:
    return name.replace("-", "..")
