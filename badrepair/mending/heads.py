"""The last layer of a network, which makes the class scores, and where it can begin anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from badrepair.errors import ModelError
from badrepair.models import inference
from badrepair.models.surgery import flatten, nodes

if TYPE_CHECKING:
    from badrepair.mending.case import Case
    from badrepair.views import Array

# Keras ships no types, so layers and variables are Any throughout this file.

# Below so many tuning images a class, a random start would not find its way back.
FEW_IMAGES = 20
# A last layer at random makes such large errors at first that small networks would fall silent
# for good: longer gradients of all weights together are shortened to this.
LONGEST_GRADIENT = 1.0
# What is added to prototypes, so that rows of classes without images differ, too.
_NOISE = 0.1


def head_kernel(student: keras.Model) -> Any:
    """Return the kernel of the layer that makes the class scores.

    Raises:
        ModelError: UnsupportedTopology, if no Dense layer or convolution makes them.
    """
    _, call = _head(student)
    return call.operation.kernel


def random_anew(kernel: Any, seed: int) -> Array:
    """Return a random kernel of the same length, shape and type."""
    random = np.random.default_rng(seed)
    values = random.uniform(-0.5, 0.5, kernel.shape)
    return _as_long(values, kernel)


def prototypes(case: Case, student: keras.Model) -> Array:
    """Return a kernel of the same length whose rows point to the mean features of the classes.

    Classes without a tuning image keep the direction that they had. Means over all classes are
    taken off first, so that what all share points nowhere.
    """
    flat, call = _head(student)
    kernel = call.operation.kernel
    features = keras.Model(flat.inputs[0], call.input_tensors[0])
    found = inference.run(
        features, case.tuning.images, batch_size=case.batch_size, label="prototypes"
    ).reshape(len(case.tuning), -1)
    old = keras.ops.convert_to_numpy(kernel).reshape(found.shape[1], -1)
    centred = found - found.mean(axis=0)
    new = np.array(old)
    for label in np.unique(case.tuning.labels):
        new[:, label] = centred[case.tuning.labels == label].mean(axis=0)
    lengths = np.linalg.norm(new, axis=0, keepdims=True)
    new /= np.where(lengths > 0, lengths, 1)
    noise = np.random.default_rng(case.seed).normal(size=new.shape) / np.sqrt(len(new))
    return _as_long((new + _NOISE * noise).reshape(kernel.shape), kernel)


def _head(student: keras.Model) -> tuple[keras.Model, Any]:
    """Return a flat view of a network that answers logits, and its call that makes the scores."""
    flat = flatten(student)
    scoring = [call for call in nodes(flat) if _scores(call)]
    if not scoring:
        raise ModelError(
            "UnsupportedTopology",
            student.name,
            "expected a Dense layer that makes the class scores, found none",
            "use a repair that does not begin with the last layer, such as unlearn",
        )
    return flat, scoring[-1]


def _scores(call: Any) -> bool:
    return isinstance(call.operation, (keras.layers.Dense, keras.layers.Conv2D))


def _as_long(values: Array, kernel: Any) -> Array:
    """Return values scaled to the length of a kernel."""
    length = np.linalg.norm(keras.ops.convert_to_numpy(kernel))
    scaled: Array = (values * (length / np.linalg.norm(values))).astype(np.float32)
    return scaled
