"""What a data file holds, before it is fitted to a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from badrepair.views import Array, Images


@dataclass(frozen=True, kw_only=True)
class RawData:
    """The arrays of a data file in their stored layout, type and value range.

    Args:
        images: (N, H, W), (N, H, W, C) or (N, C, H, W), read by slices.
        labels: The file's labels as they are, (N,), (N, 1) or one-hot (N, K); None without any.
        true_labels: In a poisoned file, what the images really show, shaped as `labels`.
        class_names: Name of class 0, 1, ...; None where the classes are mere numbers.
    """

    images: Images
    labels: Array | None
    true_labels: Array | None = None
    class_names: tuple[str, ...] | None = None
