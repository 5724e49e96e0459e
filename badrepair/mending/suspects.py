"""Triggers that a network might answer with suspected classes, found by training them.

Every suspected class has one trigger of each family. They are trained to make the network answer
the class to clean images of all others: the reversal of Wang et al., "Neural Cleanse", IEEE S&P
2019, for several kinds of triggers at once. A backdoor may answer to images of one class only;
for those, a class can have triggers of its own, which lead its images away to any other class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from badrepair.mending.triggers.additive import Additive
from badrepair.mending.triggers.patch import Patch
from badrepair.mending.triggers.warp import Warp
from badrepair.progress import track

if TYPE_CHECKING:
    from badrepair.mending.case import Case
    from badrepair.mending.triggers import Family
    from badrepair.types import Labels
    from badrepair.views import Array

# Images a step where nothing but triggers is trained.
BATCH = 60
_STREAM = 1
# Adam, as in the released code of Neural Cleanse, whose triggers are trained so.
_STEP, _BETAS = 0.1, (0.5, 0.9)
# What masks cost that cover all of the image instead of nothing.
_EXCESS = 20.0
# Chance that an image of a source gets the trigger that leads away from its class.
_AWAY = 0.25
# Taken off a logit that is not to count.
_NEVER = 1e9

# Keras and TensorFlow ship no types, so tensors are Any throughout this file.
Reverse = Callable[["Array", "Labels", "Labels"], None]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How large triggers may be.

    Args:
        additive: How far a pixel moves at most, as a part of the range of pixels.
        patch: Part of an image that a mask may cover.
        warp: How far the image is bent at most, in pixels.
    """

    additive: float
    patch: float
    warp: float


class Suspects:
    """One trigger of each family a suspected class.

    Args:
        case: Whose images they are put on.
        targets: Classes that triggers are to lead to, shape (T,).
        sizes: How large they may be.
        sources: Classes whose own triggers are to lead away from them, shape (S,).
        roaming: How many triggers are to lead any image away from its class, wherever to.
        stream: Another one begins with other triggers.
    """

    def __init__(
        self,
        case: Case,
        targets: Labels,
        sizes: Sizes,
        *,
        sources: Labels | None = None,
        roaming: int = 0,
        stream: int = 0,
    ) -> None:
        self.targets = targets
        self.sources = targets[:0] if sources is None else sources
        self.roaming = roaming
        count = len(targets) + len(self.sources) + roaming
        shape, pixels, seed = case.shape, case.pixels, (case.seed, stream)
        self.families: tuple[Family, ...] = (
            Additive(count, shape, pixels, size=sizes.additive, seed=seed),
            Patch(count, shape, pixels, area=sizes.patch, seed=seed),
            Warp(count, shape, reach=sizes.warp, seed=seed),
        )

    def aimed(self, labels: Labels, random: np.random.Generator) -> Labels:
        """Return which trigger each image gets, shape (n,).

        One that leads to another class than its own, or, of every fourth image of a class that
        has such, the one that leads away from it. An image of the only suspected class gets -1:
        it shows the target already. Where no class is suspected, one that roams.
        """
        count = len(self.targets)
        if not count:
            return random.integers(self.roaming, size=len(labels))
        which = random.integers(count, size=len(labels))
        own = self.targets[which] == labels
        which[own] = (which[own] + 1) % count
        which[self.targets[which] == labels] = -1
        for number, source in enumerate(self.sources):
            of_source = np.flatnonzero(labels == source)
            which[of_source[random.random(len(of_source)) < _AWAY]] = count + number
        return which

    def stamped(self, images: Any, which: Any) -> Any:
        """Return images with triggers of the suspects `which`, the families in turn.

        The i-th image has a trigger of family i mod F; `in_turn` puts other things in this order.
        """
        count = len(self.families)
        parts = [
            family.stamped(images[first::count], which[first::count])
            for first, family in enumerate(self.families)
        ]
        return tf.concat(parts, axis=0)

    def in_turn(self, values: Any) -> Any:
        """Return what belongs to images in the order in which `stamped` returns these."""
        count = len(self.families)
        return tf.concat([values[first::count] for first in range(count)], axis=0)

    def reversing(self, network: keras.Model) -> Reverse:
        """Return a function that trains the triggers by one step against a network.

        Args:
            network: Answers logits. It may change between the steps.

        Returns:
            A function of images (n, H, W, C), their labels, and what `aimed` says of these.
        """
        variables = [one for family in self.families for one in family.variables]
        optimizer = keras.optimizers.Adam(_STEP, *_BETAS)
        optimizer.build(variables)

        def reverse(images: Any, labels: Any, which: Any) -> None:
            with tf.GradientTape() as tape:
                answers = network(self.stamped(images, which), training=False)
                losses = self._losses(answers, self.in_turn(labels), self.in_turn(which))
                loss = tf.reduce_mean(losses)
                loss += _EXCESS * tf.add_n([family.excess() for family in self.families])
            gradients = tape.gradient(loss, [one.value for one in variables])
            optimizer.apply([tf.convert_to_tensor(one) for one in gradients], variables)

        shape = network.input_shape[1:]
        integers = tf.TensorSpec((None,), tf.int64)
        signature = [tf.TensorSpec((None, *shape), tf.float32), integers, integers]
        step = tf.function(reverse, autograph=False, input_signature=signature)

        def of_others(images: Array, labels: Labels, which: Labels) -> None:
            if len(others := np.flatnonzero(which >= 0)) >= len(self.families):
                step(images[others], labels[others], which[others])

        return of_others

    def _losses(self, answers: Any, labels: Any, which: Any) -> Any:
        """Return how far each answer is from what its trigger is to make of it, shape (n,).

        Minus the logarithm of the probability of the target, or of all classes but its own.
        """
        away = which >= len(self.targets)
        targets = tf.constant(np.append(self.targets, 0))
        aims = tf.gather(targets, tf.minimum(which, len(self.targets)))
        meant = tf.one_hot(tf.where(away, labels, aims), answers.shape[-1])
        unwanted = tf.where(away[:, None], meant, 1 - meant)
        wanted = tf.reduce_logsumexp(answers - _NEVER * unwanted, axis=1)
        return tf.reduce_logsumexp(answers, axis=1) - wanted


def train(case: Case, suspects: Suspects, steps: int) -> None:
    """Train triggers against the network as it was."""
    reverse = suspects.reversing(case.student())
    random = np.random.default_rng([case.seed, _STREAM])
    drawn = case.drawn(min(BATCH, case.batch_size), stream=_STREAM)
    for _ in track(range(steps), "reversing triggers", steps):
        images, labels = next(drawn)
        reverse(images, labels, suspects.aimed(labels, random))
