"""Run a network over many images: one compiled call a batch, slices read as they are needed."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from badrepair.errors import ModelError, ResourceError
from badrepair.models.keras_words import in_one_line
from badrepair.models.layer_outputs import most_values
from badrepair.progress import track
from badrepair.views import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import keras

    from badrepair.types import Labels
    from badrepair.views import Array, Images

BATCH = 100
# How often a call that is too large for the memory is tried with half as many images.
HALVINGS = 3
# Of the layer that makes the most of an image: one GiB.
MOST_VALUES_A_CALL = 2**28
_EXHAUSTED = (MemoryError, tf.errors.ResourceExhaustedError)
_logger = logging.getLogger(__name__)


def run(
    model: keras.Model,
    images: Images,
    reduce: Callable[[Any], Any] = lambda outputs: outputs,
    *,
    batch_size: int = BATCH,
    label: str = "predicting",
) -> Array:
    """Return what the network makes of all images, in inference mode.

    Args:
        model: Takes (n, H, W, C).
        images: Shape (N, H, W, C).
        reduce: Runs inside the compiled call on each batch's outputs, so that only what is
            wanted is kept; its first axis stays the batch.
        batch_size: Images a call.
        label: What the progress bar says.

    Raises:
        ModelError: `CannotRun`: its layers do not fit each other.
        ResourceError: `OutOfMemory`.
    """
    return runner(model, images, reduce, batch_size=batch_size, label=label)()


def runner(
    model: keras.Model,
    images: Images,
    reduce: Callable[[Any], Any],
    *,
    batch_size: int = BATCH,
    label: str = "predicting",
) -> Callable[[], Array]:
    """Return a function that does what `run` does, compiled once however often it is called."""
    call = tf.function(
        lambda batch: reduce(model(batch, training=False)),
        autograph=False,
        input_signature=[tf.TensorSpec((None, *images.shape[1:]), tf.float32)],
    )

    def in_calls_of(size: int) -> Array:
        steps = -(-len(images) // size)
        parts = [
            _called(call, np.asarray(batch, dtype=np.float32), model.name)
            for batch in track(batches(images, size), label, steps)
        ]
        return np.concatenate(parts)

    most = min(batch_size, images_a_call(model, images.shape[1:]))

    def once() -> Array:
        size = most
        for size in (max(1, most >> halved) for halved in range(HALVINGS + 1)):
            with suppress(*_EXHAUSTED):
                return in_calls_of(size)
            _logger.warning("%s: too little memory for calls of %d images", label, size)
        raise _exhausted(images, size, label)

    return once


def images_a_call(model: keras.Model, shape: Sequence[int]) -> int:
    """Return how many images a network may be given at once for the sake of the memory.

    Args:
        model: What it makes of one image may be far larger than that.
        shape: (H, W, C) of an image.
    """
    return max(1, MOST_VALUES_A_CALL // most_values(model, shape))


def _called(call: Callable[[Any], Any], batch: Array, name: str) -> Array:
    """Return what a compiled network makes of images.

    Raises:
        ModelError: `CannotRun`: it can be built, but not run, as a made-up file may have it.
    """
    try:
        made: Array = call(batch).numpy()
    except _EXHAUSTED:
        raise
    except Exception as error:  # layers raise what they like on settings that make no sense
        raise _unusable(name, in_one_line(error)) from error
    if len(made) != len(batch):
        raise _unusable(name, f"it makes {len(made)} answers of {len(batch)} images")
    return made


def _unusable(name: str, problem: str) -> ModelError:
    return ModelError("CannotRun", name, f"the network cannot run: {problem}")


def _exhausted(images: Images, size: int, label: str) -> ResourceError:
    gigabytes = size * int(np.prod(images.shape[1:])) * 4 / 2**30
    problem = (
        f"the machine has too little memory for a call of {size} images, which alone take"
        f" {gigabytes:.2f} GiB, and what the network makes of them more"
    )
    hint = "give a smaller --batch-size, end other programs, or take a larger machine"
    return ResourceError("OutOfMemory", label, problem, hint)


def answers(
    model: keras.Model,
    images: Images,
    *,
    batch_size: int = BATCH,
    label: str = "predicting",
) -> Labels:
    """Return the class that the network answers for every image, shape (N,)."""
    if not len(images):
        return np.empty(0, dtype=np.int64)
    return answering(model, images, batch_size=batch_size, label=label)()


def answering(
    model: keras.Model, images: Images, *, batch_size: int = BATCH, label: str = "predicting"
) -> Callable[[], Labels]:
    """Return a function that answers the images, compiled once however often it is called.

    It follows the network's weights as they change.
    """
    return runner(
        model,
        images,
        lambda outputs: tf.argmax(outputs, axis=-1),
        batch_size=batch_size,
        label=label,
    )
