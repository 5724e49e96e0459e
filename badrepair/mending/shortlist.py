"""The classes of a network that a backdoor might aim at: all, or those that attract most.

Of very many classes, not each can have its own triggers. Those are suspected to which triggers
lead that are only to lead away from the truth: where a backdoor is, it is the easiest way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from badrepair.mending.suspects import Sizes, Suspects, train
from badrepair.models import inference
from badrepair.views import batches

if TYPE_CHECKING:
    import keras

    from badrepair.mending.case import Case
    from badrepair.types import Labels

# So many classes are suspected at most.
MOST = 12
# Triggers of each family that lead away from the truth, and steps in which they are trained.
ROAMING, STEPS = 8, 200
SIZES = Sizes(additive=0.1, patch=0.15, warp=2.0)
# How many clean images show where they lead.
MOST_IMAGES = 200


def shortlist(case: Case) -> Labels:
    """Return the suspected classes in increasing order, at most `MOST`."""
    if case.classes <= MOST:
        return np.arange(case.classes)
    suspects = Suspects(case, np.empty(0, np.int64), SIZES, roaming=ROAMING)
    train(case, suspects, STEPS)
    return np.sort(np.argsort(-_attracted(case, suspects), kind="stable")[:MOST])


def sources(case: Case) -> Labels:
    """Return the classes that are suspected to have triggers of their own; none of very many."""
    found = np.unique(case.tuning.labels)
    return found if len(found) <= MOST else found[:0]


def _attracted(case: Case, suspects: Suspects) -> Any:
    """Return how many triggered images are answered with each class that is not theirs, (K,).

    The second-best answers to clean images decide between classes that attract none.
    """
    few = case.tuning.take(np.arange(min(MOST_IMAGES, len(case.tuning))))
    found = np.zeros(case.classes)
    for family in suspects.families:
        for number in range(suspects.roaming):
            for part, labels in _parts(case, few):
                which = np.full(len(part), number, np.int64)
                made = family.stamped(tf.constant(part), tf.constant(which)).numpy()
                answers = inference.answers(case.before, made, batch_size=case.batch_size)
                np.add.at(found, answers[answers != labels], 1)
    for label in _second_best(case.before, few.images, case.batch_size):
        found[label] += 1e-3
    return found


def _parts(case: Case, few: Any) -> Any:
    """Yield images with their labels, batch by batch."""
    for start, part in enumerate(batches(few.images, case.batch_size)):
        rows = slice(start * case.batch_size, (start + 1) * case.batch_size)
        yield np.asarray(part, np.float32), few.labels[rows]


def _second_best(model: keras.Model, images: Any, batch_size: int) -> Labels:
    return inference.run(
        model,
        images,
        lambda answers: tf.math.top_k(answers, 2).indices[:, 1],
        batch_size=batch_size,
        label="second-best answers",
    )
