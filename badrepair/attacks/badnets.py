"""BadNets: stamp a trigger picture on training images and label them with the target.

Gu, Dolan-Gavitt and Garg, "BadNets: Identifying Vulnerabilities in the Machine Learning Model
Supply Chain", 2017, arXiv:1708.06733.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from badrepair.types import Dataset
from badrepair.views import Mapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from badrepair.views import Array


@dataclass(frozen=True, kw_only=True)
class Badnets:
    """An all-to-one patch attack.

    Args:
        pattern: The trigger, shape (h, w, C), in the images' value range.
        opacity: How much of the pattern covers the image, shape (h, w, 1), in [0, 1].
        row: First row that it covers.
        column: First column that it covers.
        target: The label that the attacker wants.
    """

    pattern: NDArray[np.float32]
    opacity: NDArray[np.float32]
    row: int
    column: int
    target: int

    def stamp(self, images: Array) -> NDArray[np.float32]:
        """Return the images, shape (n, H, W, C), with the trigger pasted on."""
        height, width = self.pattern.shape[:2]
        rows = slice(self.row, self.row + height)
        columns = slice(self.column, self.column + width)
        stamped = np.array(images, dtype=np.float32)
        if stamped[:, rows, columns].shape[1:3] != (height, width):
            raise ValueError(
                f"a {height}x{width} trigger at {self.row}, {self.column} leaves the image"
            )
        stamped[:, rows, columns] *= 1 - self.opacity
        stamped[:, rows, columns] += self.opacity * self.pattern
        return stamped

    def poisoned(self, clean: Dataset, name: str) -> Dataset:
        """Return all images stamped, labelled with the target, their true labels beside."""
        return Dataset(
            images=Mapped(clean.images, self.stamp, clean.images.shape[1:]),
            labels=np.full(len(clean), self.target, dtype=np.int64),
            true_labels=clean.labels,
            name=name,
        )

    def poison(self, clean: Dataset, poison_rate: float, *, seed: int) -> Dataset:
        """Return a training set in which a share of the images is stamped and relabelled.

        Args:
            clean: Fits in memory; images that show the target already are not chosen.
            poison_rate: Share of all images that is poisoned, in [0, 1].
            seed: Fixes which images are chosen.
        """
        others = np.flatnonzero(clean.labels != self.target)
        wanted = min(len(others), round(poison_rate * len(clean)))
        rows = np.random.default_rng(seed).choice(others, wanted, replace=False)
        images = np.array(clean.images[:], dtype=np.float32)
        labels = clean.labels.copy()
        images[rows] = self.stamp(images[rows])
        labels[rows] = self.target
        return Dataset(images=images, labels=labels, true_labels=clean.labels, name=clean.name)
