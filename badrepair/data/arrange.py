"""Fit the arrays of a data file to a model: layout, channel order, type, class numbers."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from badrepair.data.labels import class_numbers
from badrepair.data.layout import InputShape, Layout, channels_last, find_layout, turned
from badrepair.errors import DataError, OptionError
from badrepair.types import Dataset, stratified_order
from badrepair.views import batches

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from badrepair.data.raw import RawData
    from badrepair.views import Array, Images, Key

log = logging.getLogger(__name__)

_PIXEL_KINDS = "biuf"
_ROWS_AT_ONCE = 50


def arrange(
    raw: RawData,
    *,
    input_shape: InputShape,
    layout: Literal["auto", "nhwc", "nchw"] = "auto",
    color: Literal["rgb", "bgr"] = "rgb",
    classes: int | None = None,
    name: str = "data",
    where: Path,
    limit: int | None = None,
    label_offset: int = 0,
    skip_bad: bool = False,
) -> Dataset:
    """Return the data as the model takes it, but for the value range; images are read lazily.

    Args:
        raw: The arrays as stored.
        input_shape: (H, W, C) of the model; None takes any size.
        layout: Where the file has its channels; "auto" to judge by `input_shape`.
        color: Order of the channels in the file.
        classes: The model's classes; labels must lie in 0..classes-1.
        name: What to call the data in tables.
        where: The file to name in errors.
        limit: Keep this many rows, all classes in proportion; None keeps all.
        label_offset: Added to each label.
        skip_bad: Whether images with NaN or infinite pixels are left out; all are read then.

    Raises:
        DataError: If the data does not fit; NaN and infinite pixels are found as they are read.
    """
    shown: dict[str, Any] = {
        "input_shape": input_shape,
        "layout": layout,
        "color": color,
        "where": where,
    }
    images = arrange_images(raw.images, **shown, finite=not skip_bad)
    if raw.labels is None:
        raise DataError("LabelsMissing", where, "the file has no labels", "--label-key names them")
    numbers = partial(
        class_numbers, count=len(images), classes=classes, where=where, offset=label_offset
    )
    true = raw.true_labels
    data = Dataset(
        images=images,
        labels=numbers(raw.labels),
        true_labels=None if true is None else numbers(true),
        name=name,
    )
    if skip_bad:
        data = _finite_rows(data, where)
    if limit is None or limit >= len(data):
        return data
    return data.take(np.sort(stratified_order(data.labels, 0)[:limit]))


def _finite_rows(data: Dataset, where: Path) -> Dataset:
    """Return the images that are finite, and say how many are not."""
    parts = batches(data.images, _ROWS_AT_ONCE)
    finite = np.concatenate([np.isfinite(part).all(axis=(1, 2, 3)) for part in parts])
    if finite.all():
        return data
    bad, count = np.flatnonzero(~finite), len(data)
    if len(bad) == count:
        raise DataError("Empty", where, "every image has pixels that are NaN or infinite")
    log.warning("%s: %d of %d images are not finite and left out", where, len(bad), count)
    return data.take(np.flatnonzero(finite))


@dataclass(frozen=True, eq=False)
class Arranged:
    """Stored images as float32 (n, H, W, C), in the stored value range.

    Args:
        stored: Images in the stored layout and type.
        layout: Where their channels stand.
        swapped: Whether red and blue change places.
        where: The file to name in errors.
        finite: Whether NaN and infinite pixels are refused.
    """

    stored: Images
    layout: Layout
    swapped: bool
    where: Path
    finite: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (N, H, W, C)."""
        return (len(self.stored), *turned(self.stored.shape[1:], self.layout))

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, key: Key) -> NDArray[np.float32]:
        rows = channels_last(self.stored[key], self.layout)
        if self.swapped:
            rows = rows[..., ::-1]
        # A float64 beyond float32 becomes infinite, and is reported as such below.
        with np.errstate(over="ignore"):
            pixels = rows.astype(np.float32, order="C")
        if self.finite and rows.dtype.kind == "f":
            self._check_finite(pixels, key)
        return pixels

    def _check_finite(self, pixels: Array, key: Key) -> None:
        finite = np.isfinite(pixels)
        if finite.all():
            return
        bad = np.flatnonzero(~finite.all(axis=(1, 2, 3)))
        row = range(len(self))[key][bad[0]] if isinstance(key, slice) else key[bad[0]]
        problem = f"image {row} has {np.sum(~finite[bad[0]])} pixels that are NaN or infinite"
        raise DataError("NotFinite", self.where, problem, "--skip-bad leaves such images out")


def arrange_images(
    stored: Images,
    *,
    input_shape: InputShape,
    layout: Literal["auto", "nhwc", "nchw"] = "auto",
    color: Literal["rgb", "bgr"] = "rgb",
    where: Path,
    finite: bool = True,
) -> Arranged:
    """Return stored images as the model takes them, but for the value range; they are read lazily.

    Args:
        stored: As `arrange` takes them.
        input_shape: (H, W, C) of the model; None takes any size.
        layout: Where the file has its channels; "auto" to judge by `input_shape`.
        color: Order of the channels in the file.
        where: The file to name in errors.
        finite: Whether NaN and infinite pixels are refused when they are read.

    Raises:
        DataError: If the images do not fit.
    """
    if not stored.shape or not len(stored):
        raise DataError("Empty", where, "the file has no images")
    found = find_layout(stored.shape[1:], input_shape, layout, where)
    dtype: np.dtype[Any] = stored[:1].dtype
    if dtype.kind not in _PIXEL_KINDS:
        raise DataError("PixelType", where, f"expected pixels as numbers, found {dtype}")
    if color == "bgr" and input_shape[2] != 3:
        problem = f"bgr needs 3 channels, the model takes {input_shape[2]}"
        raise OptionError("ColorMismatch", "--color", problem)
    return Arranged(stored, found, color == "bgr", where, finite)
