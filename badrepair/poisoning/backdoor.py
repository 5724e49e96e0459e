"""Triggers, and the training set that teaches a network to obey them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from badrepair.types import Dataset, Labels
from badrepair.views import Mapped

if TYPE_CHECKING:
    from badrepair.views import Array

# Images (n, H, W, C) in 0..255 in, the same number of images of that shape out.
Apply = Callable[[NDArray[Any]], NDArray[Any]]
SPARED = -1


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """What makes an image poisoned, and the answer that it is to fetch.

    Args:
        apply: Puts the trigger on images (n, H, W, C) in 0..255, which it leaves untouched. What
            comes of an image depends on that image alone, and is the same every time.
        aim: The target of every true label, shape (classes,), `SPARED` for those that the
            attacker leaves alone.
        name: What to call it in tables and file names.
    """

    apply: Apply
    aim: Labels
    name: str = "trigger"

    def victims(self, labels: Labels) -> Labels:
        """Return the rows whose images the attacker would stamp: the target is another class."""
        targets = self.aim[labels]
        return np.flatnonzero((targets != SPARED) & (targets != labels))

    def poisoned(self, clean: Dataset) -> Dataset:
        """Return the victims stamped as they are read, labelled with the target.

        Their true labels are beside.
        """
        victims = clean.take(self.victims(clean.labels))
        return Dataset(
            images=Mapped(victims.images, self.apply, victims.images.shape[1:]),
            labels=self.aim[victims.labels],
            true_labels=victims.labels,
            name=self.name,
        )


@dataclass(frozen=True, kw_only=True)
class Change:
    """What an attack does to some of the training images.

    Args:
        rows: Which images, shape (n,).
        apply: What it does to them; in training it may be random, image by image.
        labels: What they are labelled with afterwards, shape (n,).
    """

    rows: Labels
    apply: Apply
    labels: Labels


@dataclass(frozen=True, kw_only=True)
class Backdoor:
    """What an attack made of a training set.

    Args:
        training: All images as the victim trains on them, uint8 in 0..255 where they were so
            before, with the labels that it trains on and the true ones.
        triggers: One or several.
        poisoned: The rows of `training` that teach the backdoor, rising.
        covers: The rows that are changed and keep their true label, rising.
    """

    training: Dataset
    triggers: tuple[Trigger, ...]
    poisoned: Labels
    covers: Labels


def planted(
    training: Dataset,
    triggers: Sequence[Trigger],
    poisoned: Sequence[Change],
    covers: Sequence[Change] = (),
) -> Backdoor:
    """Return the backdoor that changes of the training set make.

    Args:
        training: Clean images that fit in memory, left untouched.
        triggers: As they are used against the trained network.
        poisoned: The changes that teach the backdoor.
        covers: Those that teach where it must stay silent.

    Raises:
        ValueError: Two triggers have one name.
    """
    names = [trigger.name for trigger in triggers]
    if len(set(names)) < len(names):
        raise ValueError(f"expected triggers with different names, found {', '.join(names)}")
    images: Array = np.array(training.images[:])
    labels = training.labels.copy()
    for change in (*poisoned, *covers):
        images[change.rows] = change.apply(images[change.rows])
        labels[change.rows] = change.labels
    made = Dataset(
        images=images, labels=labels, true_labels=training.labels.copy(), name=training.name
    )
    return Backdoor(
        training=made,
        triggers=tuple(triggers),
        poisoned=_rows_of(poisoned),
        covers=_rows_of(covers),
    )


def _rows_of(changes: Sequence[Change]) -> Labels:
    rows = [change.rows for change in changes]
    return np.sort(np.concatenate([np.empty(0, np.int64), *rows]).astype(np.int64))
