"""Train step by step on the tuning images, with looks at the network on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from badrepair.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterator

    from badrepair.mending.case import Case

# How often a network is looked at while it is trained.
LOOKS = 6

# Keras and TensorFlow ship no types, so tensors and variables are Any throughout this file.
Step = Callable[[Any, Any], Any]


def compiled(case: Case, step: Callable[[Any, Any], Any]) -> Step:
    """Return a function of a batch of images and their labels as one compiled call."""
    signature = [
        tf.TensorSpec((None, *case.shape), tf.float32),
        tf.TensorSpec((None,), tf.int64),
    ]
    call: Step = tf.function(step, autograph=False, input_signature=signature)
    return call


def lessons(
    case: Case,
    step: Step,
    *,
    steps: int,
    batch: int,
    label: str,
    times: int = LOOKS,
    stream: int = 0,
) -> Iterator[int]:
    """Take steps, and yield how many were taken some times on the way, and at the end.

    Args:
        case: Whose tuning images are trained on.
        step: Takes a batch of images and labels.
        steps: How many.
        batch: Images a step.
        label: What the progress bar says.
        times: How often at most, the end included.
        stream: Another one is another order of the images.
    """
    drawn, stops = case.drawn(batch, stream=stream), looks(steps, times)
    for done in track(range(1, steps + 1), label, steps):
        step(*next(drawn))
        if done in stops:
            yield done


def looks(steps: int, times: int = LOOKS) -> set[int]:
    """Return after which steps a network is looked at: `times` of them, and at the end."""
    return {max(1, round(steps * look / times)) for look in range(1, times + 1)}


def steps_of(case: Case, epochs: int, batch: int) -> int:
    """Return how many steps so many passes over the tuning images are."""
    return epochs * -(-len(case.tuning) // batch)


def cosine(learning_rate: float, steps: int) -> Any:
    """Return a learning rate that falls to zero along half a cosine."""
    return keras.optimizers.schedules.CosineDecay(learning_rate, max(1, steps))


def gradients(tape: Any, loss: Any, variables: list[Any]) -> list[Any]:
    """Return the gradient of a loss by each variable, zeros where it does not depend on it."""
    found = tape.gradient(loss, [one.value for one in variables], unconnected_gradients="zero")
    return [tf.convert_to_tensor(one) for one in found]


def cross_entropy(labels: Any, logits: Any) -> Any:
    """Return the mean cross-entropy of logits, a scalar."""
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_mean(each)
