"""RNP: unlearn clean images, let masks recover them, and prune the channels that do not help.

Li, Lyu, Ma, Koren, Lyu, Li and Jiang, "Reconstructive Neuron Pruning for Backdoor Defense",
ICML 2023, arXiv:2305.14876. The network first loses what it knows of clean images; masks on its
channels then learn to bring that back, and fall on channels that serve the backdoor alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from badrepair.errors import require_option
from badrepair.mending.lessons import compiled, cross_entropy, gradients, lessons, steps_of
from badrepair.mending.mender import Mender
from badrepair.mending.settings import require_counts, require_positive
from badrepair.mending.thresholds import below
from badrepair.models.gates import GatedNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator

    from badrepair.mending.case import Case
    from badrepair.mending.choosing import Candidate

_MOMENTUM = 0.9
# Longer gradients are shortened to this while clean images are unlearnt.
_CLIP = 20.0


ABOUT = {
    "needs": "some hundred clean images",
    "good at": "backdoors that few channels carry",
    "defeated by": "narrow networks; several targets",
    "minutes": "0.2",
}


@dataclass(frozen=True, kw_only=True)
class Rnp(Mender):
    """Unlearn clean images, recover them with masks, prune by the masks.

    Args:
        forgotten: Share of the clean images still answered rightly at which unlearning ends.
        unlearning_epochs: Most passes of unlearning.
        unlearning_rate: Step of gradient ascent.
        recovering_epochs: Passes in which the masks recover.
        recovering_rate: Step of gradient descent on the masks.
        tuning_batch: Images a step.
    """

    forgotten: float = 0.2
    unlearning_epochs: int = 20
    unlearning_rate: float = 0.01
    recovering_epochs: int = 20
    recovering_rate: float = 0.2
    tuning_batch: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require_option("--forgotten", 0 <= self.forgotten < 1, "a value in [0, 1)", self.forgotten)
        require_positive(self, "unlearning_rate", "recovering_rate")
        require_counts(self, "unlearning_epochs", "recovering_epochs", "tuning_batch")

    def candidates(self, case: Case) -> Iterator[Candidate]:
        """Yield the network without the channels below one threshold after the other."""
        gated = GatedNetwork(case.before)
        as_it_was = [variable.numpy() for variable in gated.variables]
        self._unlearn(case, gated)
        self._recover(case, gated)
        for variable, values in zip(gated.variables, as_it_was, strict=True):
            variable.assign(values)
        yield from below(gated)

    def _unlearn(self, case: Case, gated: GatedNetwork) -> None:
        """Climb the loss of clean images until few of them are answered rightly."""
        optimizer = keras.optimizers.SGD(
            self.unlearning_rate, momentum=_MOMENTUM, global_clipnorm=_CLIP
        )
        optimizer.build(gated.variables)

        def step(images: Any, labels: Any) -> None:
            with tf.GradientTape() as tape:
                loss = -cross_entropy(labels, gated.network(images, training=False))
            optimizer.apply(gradients(tape, loss, gated.variables), gated.variables)

        epochs, batch = self.unlearning_epochs, self.tuning_batch
        steps = steps_of(case, epochs, batch)
        looks = lessons(
            case, compiled(case, step), steps=steps, batch=batch, label="forgetting", times=epochs
        )
        for _ in looks:
            if case.accuracy(gated.network) <= self.forgotten:
                break

    def _recover(self, case: Case, gated: GatedNetwork) -> None:
        """Train the masks alone to answer clean images again."""
        optimizer = keras.optimizers.SGD(self.recovering_rate, momentum=_MOMENTUM)
        optimizer.build(gated.masks)

        def step(images: Any, labels: Any) -> None:
            with tf.GradientTape() as tape:
                loss = cross_entropy(labels, gated.network(images, training=False))
            optimizer.apply(gradients(tape, loss, gated.masks), gated.masks)
            for mask in gated.masks:
                mask.assign(tf.clip_by_value(mask.value, 0.0, 1.0))

        batch = self.tuning_batch
        steps = steps_of(case, self.recovering_epochs, batch)
        looks = lessons(
            case, compiled(case, step), steps=steps, batch=batch, label="recovering", times=1
        )
        assert max(looks) == steps
