"""Stand-ins for the trigger that nobody knows: made on the network as it was, of clean images.

A repair is judged by whether they still work. They are small: the less an image has to change
to be answered with a class, the more is amiss with the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from badrepair.mending.suspects import Sizes, Suspects, train
from badrepair.models import inference
from badrepair.types import stratified_order
from badrepair.views import batches

if TYPE_CHECKING:
    import keras

    from badrepair.mending.case import Case
    from badrepair.types import Labels
    from badrepair.views import Array

SIZES = Sizes(additive=0.1, patch=0.04, warp=1.0)
# Steps in which they are trained.
STEPS = 200
# How many held-out images are probed at most.
MOST_IMAGES = 100


@dataclass(frozen=True, kw_only=True)
class Probes:
    """Images with triggers that the network was found to answer to.

    Args:
        images: Of all probes one after the other, shape (N, H, W, C).
        targets: What an image is to be answered if its trigger works, shape (N,).
        probe: Which probe an image belongs to, shape (N,).
        batch_size: Images a call.
    """

    images: Array
    targets: Labels
    probe: Labels
    batch_size: int

    @classmethod
    def of(cls, case: Case) -> Probes:
        """Return probes for the classes of a network that are suspected most."""
        suspects = Suspects(case, case.suspected, SIZES)
        train(case, suspects, STEPS)
        rows = stratified_order(case.held_out.labels, case.seed)[:MOST_IMAGES]
        few = case.held_out.take(np.sort(rows))
        parts = [np.asarray(part, np.float32) for part in batches(few.images, case.batch_size)]
        shown, labels = np.concatenate(parts), few.labels
        images, targets, probe = [], [], []
        for number, target in enumerate(suspects.targets):
            others = shown[labels != target]
            which = np.full(len(others), number, np.int64)
            for kind, family in enumerate(suspects.families):
                images.append(family.stamped(tf.constant(others), tf.constant(which)).numpy())
                targets.append(np.full(len(others), target, np.int64))
                probe.append(np.full(len(others), number * len(suspects.families) + kind))
        return cls(
            images=np.concatenate(images),
            targets=np.concatenate(targets),
            probe=np.concatenate(probe),
            batch_size=case.batch_size,
        )

    def success(self, network: keras.Model) -> float:
        """Return how often the probe that works best works with a network, in [0, 1]."""
        if not len(self.images):
            return 0.0
        found = inference.answers(network, self.images, batch_size=self.batch_size, label="probing")
        hits = np.bincount(self.probe, found == self.targets)
        return float(np.max(hits / np.maximum(1, np.bincount(self.probe))))
