"""Whose trigger a cover image gets where every image has a trigger of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from badrepair.types import Labels

_STREAM = 2


def donors(covers: Labels, total: int, seed: int) -> Labels:
    """Return for each cover the row of another image, shape of `covers`.

    Its own trigger would make the cover a poisoned image with a true label.

    Args:
        covers: Rows of the cover images.
        total: How many images there are in all, 2 or more if there is a cover.
        seed: The attack's.
    """
    ahead = np.random.default_rng([seed, _STREAM]).integers(1, max(2, total), len(covers))
    return (covers + ahead) % max(1, total)
