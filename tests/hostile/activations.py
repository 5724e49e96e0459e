"""Networks of a few kilobytes that make, or hold on the way, far more of one small image."""

from __future__ import annotations

import keras
from keras import layers
from timing import Built

SIZE = Built("LimitExceeded")


def _saved(*steps, together=None):
    """Return a maker of a network that does some steps, then one with their result twice."""

    def make(folder):
        entry = tensor = keras.Input((28, 28, 1))
        for step in steps:
            tensor = step()(tensor)
        if together is not None:
            tensor = together(tensor)
        pool = layers.GlobalAveragePooling1D if tensor.ndim == 3 else layers.GlobalMaxPooling2D
        path = folder / "model.keras"
        keras.Model(entry, layers.Dense(3)(pool()(tensor))).save(path)
        return path

    return make


def _up(size):
    return lambda: layers.UpSampling2D(size)


def _row(count):
    return lambda: layers.Reshape((count, 1))


FILES = {
    "attention over twenty thousand steps": (
        _saved(_up(5), _row(19_600), together=lambda x: layers.Attention()([x, x])),
        SIZE,
    ),
    "attention of two heads over twelve thousand steps": (
        _saved(_up(4), _row(12_544), together=lambda x: layers.MultiHeadAttention(2, 1)(x, x)),
        SIZE,
    ),
    "depthwise a thousand times": (
        _saved(_up(64), lambda: layers.SeparableConv2D(1, 1, depth_multiplier=1000)),
        SIZE,
    ),
    "padding to a far other shape": (
        _saved(
            *(_up((1, 4)), lambda: layers.Reshape((1, 3136, 1))),
            lambda: layers.Resizing(2000, 5, pad_to_aspect_ratio=True),
        ),
        SIZE,
    ),
}
