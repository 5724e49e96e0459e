"""Everyday damage to images, drawn anew for each: noise, and fewer levels of brightness.

They are no triggers, and say nothing of any; but a network that was taught to answer a certain
coarseness or grain with one class has to unlearn it to know such images. Posterising is one of
the operations of Cubuk, Zoph, Mane, Vasudevan and Le, "AutoAugment", CVPR 2019, arXiv:1805.09501.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# An image keeps at most so many levels besides black.
MOST_STEPS = 8


def distorted(images: Any, pixels: tuple[float, float], seed: Any) -> Any:
    """Return images, each with noise of its own strength, on a number of levels of its own.

    Args:
        images: A tensor (n, H, W, C).
        pixels: The darkest and the lightest value of an image.
        seed: A tensor of two integers, shape (2,).
    """
    low, high = pixels
    each = (tf.shape(images)[0], 1, 1, 1)
    steps = tf.floor(tf.random.stateless_uniform(each, seed, 1.0, float(MOST_STEPS)))
    strength = tf.random.stateless_uniform(each, seed + 1)
    noise = tf.random.stateless_uniform(tf.shape(images), seed + 2, -0.5, 0.5)
    unit = (images - low) / (high - low)
    levels = tf.round(unit * steps + strength * noise) / steps
    return low + (high - low) * tf.clip_by_value(levels, 0.0, 1.0)


def mixed_up(images: Any, seed: Any) -> Any:
    """Return images, each mixed with the one before it in shares of its own.

    Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018,
    arXiv:1710.09412. A network's own answers to mixtures tell far more of it than those to the
    few images that these are made of.

    Args:
        images: A tensor (n, H, W, C).
        seed: A tensor of two integers, shape (2,).
    """
    share = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed + 3)
    return share * images + (1 - share) * tf.roll(images, 1, axis=0)
