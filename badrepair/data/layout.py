"""Where height, width and channels stand in an array, judged by what the model takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from badrepair.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from badrepair.views import Array

InputShape = tuple[int | None, int | None, int]
Layout = Literal["nhwc", "nchw"]
_NAMES = {"nhwc": "(H, W, C)", "nchw": "(C, H, W)"}


def find_layout(
    row_shape: tuple[int, ...],
    input_shape: InputShape,
    layout: Literal["auto", "nhwc", "nchw"],
    where: Path,
) -> Layout:
    """Return the layout in which the stored rows fit the model.

    Args:
        row_shape: Shape of one stored image, two or three axes; grey images may lack the
            channel axis and then read the same either way.
        input_shape: (H, W, C) of the model; None takes any size.
        layout: What the user says; "auto" to find out.
        where: The file to name in errors.

    Raises:
        DataError: If no layout fits, or both do.
    """
    allowed: tuple[Layout, ...] = ("nhwc", "nchw") if layout == "auto" else (layout,)
    fitting = [name for name in allowed if _fits(turned(row_shape, name), input_shape)]
    if not fitting:
        raise _mismatch(row_shape, input_shape, layout, where)
    if len(fitting) > 1 and len(row_shape) == 3:
        problem = f"images of shape {row_shape} fit with the channels first and with them last"
        raise DataError("LayoutAmbiguous", where, problem, "--layout nhwc or --layout nchw")
    return fitting[0]


def turned(row_shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """Return one image's shape as (H, W, C)."""
    if len(row_shape) == 2:
        return (*row_shape, 1)
    return (*row_shape[1:], row_shape[0]) if layout == "nchw" and row_shape else row_shape


def channels_last(rows: Array, layout: Layout) -> Array:
    """Return rows (n, H, W), (n, H, W, C) or (n, C, H, W) as (n, H, W, C), without a copy."""
    if rows.ndim == 3:
        return rows[..., np.newaxis]
    return rows.transpose(0, 2, 3, 1) if layout == "nchw" else rows


def _fits(shape: tuple[int, ...], input_shape: InputShape) -> bool:
    return len(shape) == 3 and all(
        wanted in {None, found} for found, wanted in zip(shape, input_shape, strict=True)
    )


def _mismatch(
    row_shape: tuple[int, ...], input_shape: InputShape, layout: str, where: Path
) -> DataError:
    wanted = ", ".join("any" if size is None else str(size) for size in input_shape)
    problem = f"the model takes images (H, W, C) of shape ({wanted}), found {row_shape}"
    if layout != "auto":
        problem += f" read as {_NAMES[layout]}"
    hint = ""
    if len(row_shape) == 2 and input_shape[2] != 1:
        hint = "the images are grey: repeat their one channel in the file"
    return DataError("ShapeMismatch", where, problem, hint)
