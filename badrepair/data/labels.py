"""Labels as files have them - integers, whole floats, a column, one-hot - to class numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair.errors import DataError
from badrepair.views import batches

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from badrepair.types import Labels
    from badrepair.views import Array

MOST_BYTES = 2**28
# One of a byte, which packs a thousandfold, takes many times that while it is judged and kept.
MOST_ROWS = 2**24
_ROWS_NAMED = 5
_VALUES_AT_ONCE = 2**22


def class_numbers(
    stored: Array, count: int, classes: int | None, where: Path, *, offset: int = 0
) -> Labels:
    """Return labels as int64 (N,).

    Args:
        stored: Integers or whole floats, (N,) or (N, 1), or one-hot (N, K) of any of 0/1,
            0.0/1.0 and booleans.
        count: Number of images.
        classes: Labels must lie in 0..classes-1; None for no upper limit.
        where: The file to name in errors.
        offset: Added to each, such as -1 where the file counts from 1.

    Raises:
        DataError: If the labels are none of that.
    """
    if stored.ndim == 0 or len(stored) != count:
        found = f"{len(stored)} labels" if stored.ndim else "a single label"
        raise DataError("CountMismatch", where, f"{count} images but {found}")
    if stored.ndim == 2 and stored.shape[1] > 1 and stored.dtype.kind in "biuf":
        labels: Array = _from_one_hot(stored, where)
    else:
        labels = _from_numbers(stored, where)
    if offset:  # small integer types would overflow
        labels = labels.astype(np.float64) + offset
    _check_range(labels, classes, where)
    return labels.astype(np.int64)


def require_few(shape: tuple[int, ...], dtype: np.dtype[Any], key: str, where: Path) -> None:
    """Refuse labels that take more memory than labels do: they are read whole.

    Raises:
        DataError: DataBomb.
    """
    rows = shape[0]
    if rows > MOST_ROWS:
        problem = f"{key} declares {rows:,} labels, expected at most {MOST_ROWS:,}"
        raise DataError("DataBomb", where, problem)
    size = math.prod(shape) * dtype.itemsize
    if size > MOST_BYTES:
        problem = f"{key} declares {size:,} bytes of labels, expected at most {MOST_BYTES:,}"
        raise DataError("DataBomb", where, problem)


def _from_one_hot(stored: Array, where: Path) -> Labels:
    parts = list(batches(stored, max(1, _VALUES_AT_ONCE // stored.shape[1])))
    wrong = np.concatenate([_not_one_hot(part) for part in parts])
    if wrong.any():
        problem = f"labels of shape {stored.shape} are not one-hot in {_rows(wrong)}"
        raise DataError("LabelShape", where, problem, "give one class number an image")
    return np.concatenate([np.argmax(part, axis=1) for part in parts])


def _not_one_hot(rows: Array) -> NDArray[np.bool_]:
    ones, zeros = (rows == 1).sum(axis=1), (rows == 0).sum(axis=1)
    wrong: NDArray[np.bool_] = (ones != 1) | (zeros != rows.shape[1] - 1)
    return wrong


def _from_numbers(stored: Array, where: Path) -> Array:
    if stored.ndim != 1 and stored.shape[1:] != (1,):
        raise DataError("LabelShape", where, f"expected labels (N,), found {stored.shape}")
    if stored.dtype.kind not in "iuf":
        raise DataError("LabelType", where, f"expected class numbers, found {stored.dtype}")
    labels = stored.reshape(-1)
    wrong = ~np.isfinite(labels) | (labels != np.floor(labels))
    if wrong.any():
        first = labels[np.flatnonzero(wrong)[0]]
        problem = f"expected whole class numbers, found {first:g} in {_rows(wrong)}"
        raise DataError("LabelNotInteger", where, problem)
    return labels


def _check_range(labels: Array, classes: int | None, where: Path) -> None:
    limit = np.iinfo(np.int64).max if classes is None else classes
    low, high = labels.min(), labels.max()
    if low >= 0 and high < limit:
        return
    known = "classes from 0" if classes is None else f"the classes 0..{classes - 1}"
    problem = f"labels {low:.0f}..{high:.0f}, the model has {known}"
    hint = "does the file belong to this model?"
    if low == 1 and high == classes:
        hint = "the labels count from 1: --label-offset -1"
    raise DataError("LabelRange", where, problem, hint)


def _rows(wrong: NDArray[np.bool_]) -> str:
    rows = np.flatnonzero(wrong)
    named = ", ".join(str(row) for row in rows[:_ROWS_NAMED])
    more = f" and {len(rows) - _ROWS_NAMED} more" if len(rows) > _ROWS_NAMED else ""
    return f"row{'s' if len(rows) > 1 else ''} {named}{more}"
