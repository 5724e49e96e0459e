"""Unlearning: reverse triggers for every suspected class, and train them away with true labels.

Wang et al., "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks",
IEEE S&P 2019, reverse one trigger and unlearn it once. Here triggers of several kinds for all
suspected classes are trained on while the network unlearns them, as the universal perturbation of
Zeng et al., "Adversarial Unlearning of Backdoors via Implicit Hypergradient", ICLR 2022,
arXiv:2110.03735, is. What the network answered before to mixtures of clean images holds it in its
place, and everyday damage is drawn beside the triggers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from badrepair.errors import require_option
from badrepair.mending.choosing import Candidate
from badrepair.mending.distortions import distorted, mixed_up
from badrepair.mending.lessons import cosine, gradients, looks
from badrepair.mending.mender import Mender
from badrepair.mending.settings import require_counts, require_positive
from badrepair.mending.shortlist import sources
from badrepair.mending.suspects import Sizes, Suspects
from badrepair.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterator

    from badrepair.mending.case import Case
    from badrepair.types import Labels
    from badrepair.views import Array

# Triggers that adapt may be large; those that were found in the network as it was are small.
LARGE = Sizes(additive=0.25, patch=0.08, warp=2.0)
SMALL = Sizes(additive=0.1, patch=0.04, warp=1.0)
_STREAM = 2


ABOUT = {
    "needs": "some hundred clean images",
    "good at": "patches, blends, warps, coarseness; all targets at once",
    "defeated by": "triggers of other kinds, or much larger ones",
    "minutes": "0.4 to 0.9",
}


@dataclass(frozen=True, kw_only=True)
class Unlearn(Mender):
    """Reverse triggers for every suspected class, and train them away with true labels.

    Args:
        strengths: What an image with a trigger counts, where a clean one counts 1; the next one is
            tried where stand-ins for the trigger still work after the one before.
        steps: Steps of unlearning with each weight.
        warm_up: Steps in which triggers are reversed before anything is unlearnt.
        learning_rate: Adam's first step; it falls to zero along half a cosine.
        tuning_batch: Images a step.
    """

    strengths: tuple[float, ...] = (0.2, 0.5, 1.0)
    steps: int = 300
    warm_up: int = 150
    learning_rate: float = 3e-4
    tuning_batch: int = 60

    def __post_init__(self) -> None:
        super().__post_init__()
        require_option("--warm-up", self.warm_up >= 0, "a value 0 or more", self.warm_up)
        require_positive(self, "strengths", "learning_rate")
        require_counts(self, "steps", "tuning_batch")

    def candidates(self, case: Case) -> Iterator[Candidate]:
        """Yield the network some times while it unlearns, with one weight after the other."""
        contest, stops = _Contest(case, self), looks(self.steps)
        for _ in track(range(self.warm_up), "reversing triggers", self.warm_up):
            contest.warm_up()
        for weight in self.strengths:
            contest.begin()
            for step in track(range(1, self.steps + 1), "unlearning", self.steps):
                contest.unlearn(weight)
                if step in stops:
                    yield Candidate(
                        network=case.mended(contest.student.get_weights()),
                        strength={"weight": weight, "steps": step},
                        complete=step == self.steps,
                    )


class _Contest:
    """Triggers against a network that unlearns them.

    Half of them adapt to the network as it changes. The others were found in the network as it
    was and stay, so that what once worked is not forgotten for what works better now.

    Args:
        case: Whose images they are put on.
        settings: How the network learns.
    """

    def __init__(self, case: Case, settings: Unlearn) -> None:
        self.student = case.student()
        self._case = case
        self._random = np.random.default_rng([case.seed, _STREAM])
        self._drawn = case.drawn(settings.tuning_batch, stream=_STREAM)
        self._optimizer = keras.optimizers.Adam(cosine(settings.learning_rate, settings.steps))
        self._optimizer.build(self.student.trainable_variables)
        self._kinds = [
            Suspects(case, case.suspected, sizes, sources=sources(case), stream=_STREAM)
            for sizes in (LARGE, SMALL)
        ]
        self._reverse = [suspects.reversing(self.student) for suspects in self._kinds]
        self._unlearn = self._compiled()

    def warm_up(self) -> None:
        """Train all triggers by one step against the network as it was."""
        aimed = self._aimed()
        for reverse in self._reverse:
            reverse(*aimed)

    def begin(self) -> None:
        """Let the network learn as fast as at first."""
        self._optimizer.iterations.assign(0)

    def unlearn(self, weight: float) -> None:
        """Train the triggers that adapt, and then the network, by one step."""
        aimed = self._aimed()
        adapt, _ = self._reverse
        adapt(*aimed)
        seed = self._random.integers(2**31, size=2)
        self._unlearn(*aimed, seed, np.float32(weight))

    def _aimed(self) -> tuple[Array, Labels, Labels]:
        """Return images, their labels and the triggers that they get."""
        images, labels = next(self._drawn)
        return images, labels, self._kinds[0].aimed(labels, self._random)

    def _compiled(self) -> Any:
        """Return the network's step as one compiled call."""
        student, teacher, kinds = self.student, self._case.student(), self._kinds
        loss_of = tf.nn.sparse_softmax_cross_entropy_with_logits

        def step(images: Any, labels: Any, which: Any, seed: Any, weight: Any) -> None:
            mixed = mixed_up(images, seed)
            wanted = tf.nn.softmax(teacher(mixed, training=False))
            coarse = distorted(images, self._case.pixels, seed)
            # In turn: the next image of each batch has a trigger of the other kind.
            others = tf.where(which >= 0)[:, 0]
            parts = [(kind, others[first :: len(kinds)]) for first, kind in enumerate(kinds)]
            stamped = [
                kind.stamped(tf.gather(images, rows), tf.gather(which, rows))
                for kind, rows in parts
            ]
            theirs = [kind.in_turn(tf.gather(labels, rows)) for kind, rows in parts]
            truth = tf.concat([*theirs, labels], axis=0)
            with tf.GradientTape() as tape:
                shown = tf.concat([mixed, *stamped, coarse], axis=0)
                answers = student(shown, training=False)
                of_mixed, of_others = tf.split(answers, [tf.shape(mixed)[0], -1])
                kept = tf.nn.softmax_cross_entropy_with_logits(wanted, of_mixed)
                unlearnt = loss_of(labels=truth, logits=of_others)
                loss = tf.reduce_mean(kept) + weight * tf.reduce_mean(unlearnt)
            variables = student.trainable_variables
            self._optimizer.apply(gradients(tape, loss, variables), variables)

        signature = [
            tf.TensorSpec((None, *self._case.shape), tf.float32),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((2,), tf.int64),
            tf.TensorSpec((), tf.float32),
        ]
        return tf.function(step, autograph=False, input_signature=signature)
