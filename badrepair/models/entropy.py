"""Entropy of a network's answers, from its logits."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

# TensorFlow ships no types, so tensors are Any throughout this file.


def entropy_bits(logits: Any) -> Any:
    """Return the entropy of answers in bits; an answer that is no number counts as the surest.

    With S the sum of exp over all classes but the surest one, that one's logit being 0, it is
    log(1 + S) plus terms of the same sign: nothing cancels, and an answer whose probability
    float32 rounds to one still has its entropy.

    Args:
        logits: Shape (..., classes).
    """
    logits = tf.cast(logits, tf.float32)
    below = logits - tf.reduce_max(logits, axis=-1, keepdims=True)
    others = tf.where(below < 0, tf.exp(below), 0)
    ties = tf.reduce_sum(tf.cast(below >= 0, tf.float32), axis=-1) - 1
    total = tf.reduce_sum(others, axis=-1) + ties
    spread = tf.reduce_sum(tf.math.multiply_no_nan(below, others), axis=-1)
    bits = (tf.math.log1p(total) - spread / (1 + total)) / math.log(2)
    return tf.where(tf.math.is_finite(bits), bits, 0)
