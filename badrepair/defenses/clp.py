"""CLP: prune the channels that can amplify most, without looking at a single image.

Zheng, Tang, Li and Liu, "Data-free Backdoor Removal based on Channel Lipschitzness", ECCV 2022,
arXiv:2208.03111. A channel goes if the largest singular value of its filter, times the slope of
its normalisation, is more than u standard deviations above the mean of its layer. Clean images
only choose u; the paper fixes it at 3 for its networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from badrepair.errors import require_option
from badrepair.mending.choosing import Candidate
from badrepair.mending.mender import Mender
from badrepair.models.pruner import ChannelPruner
from badrepair.models.ranking import steepness
from badrepair.models.sites import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from badrepair.mending.case import Case


ABOUT = {
    "needs": "clean images to choose with only",
    "good at": "loud channels, at low poison rates",
    "defeated by": "most backdoors at 5 % poison and more",
    "minutes": "0.1",
}


@dataclass(frozen=True, kw_only=True)
class Clp(Mender):
    """Prune the channels whose slope stands out from their layer.

    Args:
        deviations: How many standard deviations above the mean is too much; each is tried.
    """

    deviations: tuple[float, ...] = (5.0, 4.0, 3.5, 3.0, 2.5, 2.0, 1.5, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_option("--deviations", bool(self.deviations), "at least one value", "none")

    def candidates(self, case: Case) -> Iterator[Candidate]:
        """Yield the network without the channels beyond one bound after the other."""
        pruner = ChannelPruner(case.before, (ALL,), batch_size=case.batch_size)
        steep = np.concatenate(steepness(pruner))
        before = 0
        for bound in self.deviations:
            gone = np.flatnonzero(steep > bound)
            if len(gone) == before:
                continue
            before = len(gone)
            network, _ = pruner.apply(gone)
            yield Candidate(network=network, strength={"deviations": bound, "pruned": len(gone)})
