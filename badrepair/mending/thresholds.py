"""Prune the channels whose mask is below a threshold, and try one threshold after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from badrepair.mending.choosing import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from badrepair.models.gates import GatedNetwork

THRESHOLDS = tuple(round(0.05 * count, 2) for count in range(1, 20))


def below(gated: GatedNetwork) -> Iterator[Candidate]:
    """Yield the network without the channels whose masks are below each threshold.

    What stays is as it was: masks only choose. Thresholds that prune the same are tried once.

    Args:
        gated: Its masks are used up.
    """
    masks = [mask.numpy() for mask in gated.masks]
    before = 0
    for threshold in THRESHOLDS:
        kept = [(mask >= threshold).astype(np.float32) for mask in masks]
        pruned = sum(int(np.sum(keep == 0)) for keep in kept)
        if pruned == before:
            continue
        before = pruned
        for variable, keep in zip(gated.masks, kept, strict=True):
            variable.assign(keep)
        yield Candidate(network=gated.folded(), strength={"threshold": threshold, "pruned": pruned})
