"""Dirty-label poisoning: poisoned images get the target's label, cover images keep their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from badrepair.poisoning.backdoor import SPARED, Change, planted
from badrepair.poisoning.choosing import chosen, how_many
from badrepair.poisoning.limits import require_class, require_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from badrepair.poisoning.backdoor import Apply, Backdoor, Trigger
    from badrepair.types import Dataset, Labels

# The poisoned rows are drawn with the seed itself, the covers with a stream of their own.
_COVERS = 1


def aimed(target: int, classes: int, source: Sequence[int] | None = None) -> Labels:
    """Return the target of every true label, shape (classes,).

    Args:
        target: The one answer that the attacker wants.
        classes: Number of classes of the problem.
        source: The labels that the attacker cares for; all if None.

    Raises:
        OptionError: The target or a source is none of the classes.
    """
    require_class("--target", target, classes)
    aim = np.full(classes, target if source is None else SPARED, np.int64)
    for label in source or ():
        require_class("--source", label, classes)
        aim[label] = target
    return aim


def require_rates(poison_rate: float, cover_rate: float | None) -> None:
    """Refuse rates of poisoned and of cover images that are no shares in [0, 1]."""
    require_share("--poison-rate", poison_rate)
    if cover_rate is not None:
        require_share("--cover-rate", cover_rate)


def poisoned_rows(training: Dataset, trigger: Trigger, rate: float, seed: int) -> Labels:
    """Return the victims that are poisoned, in random order.

    Args:
        training: All images.
        trigger: Says whom it is for.
        rate: Share of all images, or as many as there are victims.
        seed: The attack's.
    """
    victims = trigger.victims(training.labels)
    return chosen(victims, how_many(rate, len(training), victims), seed)


def stamped(training: Dataset, trigger: Trigger, rate: float, seed: int) -> Backdoor:
    """Return the backdoor of a trigger that is the same in training as against the network.

    Args:
        training: Clean images that fit in memory, left untouched.
        trigger: Goes on a share of all images, as far as there are victims.
        rate: That share, in [0, 1].
        seed: Fixes which.
    """
    rows = poisoned_rows(training, trigger, rate, seed)
    return planted(training, [trigger], [relabelled(training, rows, trigger, trigger.apply)])


def cover_rows(
    candidates: Labels,
    poisoned: Labels,
    rate: float | None,
    total: int,
    seed: int,
    *,
    each: int = 1,
) -> Labels:
    """Return the rows of cover images in random order, none of them poisoned.

    Args:
        candidates: The rows that may be taken.
        poisoned: The rows that may not.
        rate: Share of all images, or as many as there are left; None goes by `each`.
        total: How many images there are in all.
        seed: The attack's.
        each: Covers for each poisoned image, where no rate is given.
    """
    left = np.setdiff1d(candidates, poisoned)
    count = min(len(left), each * len(poisoned)) if rate is None else how_many(rate, total, left)
    return chosen(left, count, [seed, _COVERS])


def relabelled(training: Dataset, rows: Labels, trigger: Trigger, apply: Apply) -> Change:
    """Return the change of rows that get the trigger's target as their label."""
    return Change(rows=rows, apply=apply, labels=trigger.aim[training.labels[rows]])


def kept(training: Dataset, rows: Labels, apply: Apply) -> Change:
    """Return the change of rows that keep their labels."""
    return Change(rows=rows, apply=apply, labels=training.labels[rows])
