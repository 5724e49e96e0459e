"""Lazy views of image arrays: a 5 GB file is read slice by slice, never whole.

A view has a shape and is read with `view[start:stop]` or `view[indices]`; what comes out is a
NumPy array. At the bottom of a pile of views stands a `np.ndarray`, or what `badrepair.data` reads:
a bare `h5py.Dataset` takes no unsorted indices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Array = NDArray[Any]
Key = slice | NDArray[np.int64]


class Images(Protocol):
    """Images as an array-like of shape (N, H, W, C) that is read by slices or index arrays."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (N, H, W, C)."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Key, /) -> Array: ...


@dataclass(frozen=True)
class Selected:
    """Some rows of a view, in a given order."""

    base: Images
    indices: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape after selection."""
        return (len(self.indices), *self.base.shape[1:])

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: Key) -> Array:
        return self.base[self.indices[key]]


@dataclass(frozen=True)
class Mapped:
    """A view whose rows go through a function as they are read.

    Args:
        base: What is read.
        function: Turns rows of `base`, an array (n, ...), into an array (n, *row_shape).
        row_shape: The shape of one row after the function.
    """

    base: Images
    function: Callable[[Array], Array]
    row_shape: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape after the function."""
        return (len(self.base), *self.row_shape)

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, key: Key) -> Array:
        return self.function(self.base[key])


def batches(images: Images, size: int) -> Iterator[Array]:
    """Yield consecutive arrays of at most `size` rows."""
    for start in range(0, len(images), size):
        yield images[start : start + size]
