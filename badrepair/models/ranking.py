"""In which order channels go: idle, contrasting or steep ones first, or any.

Scores of several layers are made comparable before they are ranked together: activations are
measured in their layer's mean activation, Lipschitz bounds in standard deviations from their
layer's mean (as the thresholds of Zheng et al., ECCV 2022, are).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from badrepair.models.filters import lipschitz

if TYPE_CHECKING:
    from collections.abc import Sequence

    from badrepair.models.pruner import ChannelPruner
    from badrepair.types import Labels
    from badrepair.views import Images

Rank = Literal["activation", "contrast", "lipschitz", "random"]
RANKS: tuple[Rank, ...] = get_args(Rank)
Scores = NDArray[np.float64]


def idlest_first(pruner: ChannelPruner, images: Images) -> Labels:
    """Return the channels in increasing order of their mean activation on clean images.

    Liu et al., RAID 2018, arXiv:1805.12185.
    """
    scores = _activations(pruner, images)
    return _increasing([own / _size(own) for own in scores])


def most_contrasting_first(
    pruner: ChannelPruner, images: Images, poisoned: Sequence[Images]
) -> Labels:
    """Return the channels in decreasing order of what a trigger adds to their mean activation.

    Of several triggers, the one that adds most to a channel counts.

    Args:
        pruner: Of the network before any pruning.
        images: Clean.
        poisoned: One set a trigger.
    """
    clean = _activations(pruner, images)
    sets = [_activations(pruner, one) for one in poisoned]
    added = [np.max([of[number] - own for of in sets], axis=0) for number, own in enumerate(clean)]
    return _increasing([-more / _size(own) for more, own in zip(added, clean, strict=True)])


def steepest_first(pruner: ChannelPruner) -> Labels:
    """Return the channels in decreasing order of their Lipschitz bound; no image is looked at.

    Zheng et al., ECCV 2022, arXiv:2208.03111.
    """
    return _increasing([-own for own in steepness(pruner)])


def steepness(pruner: ChannelPruner) -> list[Scores]:
    """Return how far the Lipschitz bound of each layer's channels, (C,), is above its mean.

    In standard deviations of the layer's bounds; infinite where weights are not finite.
    """
    return [_standardised(lipschitz(site.layer, site.norms)) for site in pruner.sites]


def shuffled(pruner: ChannelPruner, seed: int) -> Labels:
    """Return the channels in random order: what any ranking has to be better than."""
    return np.random.default_rng(seed).permutation(pruner.channels)


def _activations(pruner: ChannelPruner, images: Images) -> list[Scores]:
    return [maps.astype(np.float64).mean(axis=(1, 2)) for maps in pruner.mean_maps(images)]


def _size(scores: Scores) -> float:
    finite = scores[np.isfinite(scores)]
    return float(np.abs(finite).mean()) or 1.0 if len(finite) else 1.0


def _standardised(scores: Scores) -> Scores:
    finite = scores[np.isfinite(scores)]
    if not len(finite):
        return scores
    deviation = float(finite.std()) or 1.0
    return (scores - float(finite.mean())) / deviation


def _increasing(scores: Sequence[Scores]) -> Labels:
    # What is no number spoils every answer: it goes first.
    return np.argsort(np.nan_to_num(np.concatenate(scores), nan=-np.inf), kind="stable")
