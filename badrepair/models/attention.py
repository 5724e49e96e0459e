"""Where the convolutions of a network look: their squared channels, summed.

Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017, arXiv:1612.03928.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from badrepair.errors import ModelError
from badrepair.models import surgery
from badrepair.models.sites import OTHER_WAY, find_sites

# Keras ships no types, so tensors are Any throughout this file.
Attending = Callable[[Any], tuple[Any, list[Any]]]


def attending(student: keras.Model, layers: int) -> Attending:
    """Return a function of images that returns the answers and the attention of convolutions.

    An attention map is flattened, shape (n, h * w), and has length 1 for every image.

    Args:
        student: Nobody else holds it: layers of nested models may be renamed.
        layers: How many convolutions, the last ones.

    Raises:
        ModelError: UnsupportedTopology, if the network has no convolution.
    """
    flat = surgery.flatten(student)
    taps = [site.tap for site in find_sites(flat, ("all",)).found if len(site.tap.shape) == 4]
    if not taps:
        problem = "expected a convolution whose attention can be read, found none"
        raise ModelError("UnsupportedTopology", student.name, problem, OTHER_WAY)
    network = keras.Model(flat.inputs[0], [flat.outputs[0], *taps[-layers:]])

    def answers_and_maps(images: Any) -> tuple[Any, list[Any]]:
        answers, *values = network(images, training=False)
        return answers, [_attention(one) for one in values]

    return answers_and_maps


def _attention(values: Any) -> Any:
    squared = tf.reduce_sum(tf.square(values), axis=-1)
    return tf.math.l2_normalize(tf.reshape(squared, (tf.shape(squared)[0], -1)), axis=1)
