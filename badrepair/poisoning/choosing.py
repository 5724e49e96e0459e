"""Which images an attacker changes: so many of those that may be, at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from badrepair.types import Labels


def how_many(rate: float, total: int, candidates: Labels) -> int:
    """Return how many images make up a share of all, or how many there are if these are fewer.

    Args:
        rate: Share of all images, in [0, 1].
        total: How many images there are in all.
        candidates: The rows that may be taken.
    """
    return min(len(candidates), round(rate * total))


def chosen(candidates: Labels, count: int, seed: int | list[int]) -> Labels:
    """Return `count` different rows of `candidates` in random order."""
    return np.random.default_rng(seed).choice(candidates, count, replace=False)
