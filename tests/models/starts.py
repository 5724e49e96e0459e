"""Tiny networks, and the layers that they may start with."""

from __future__ import annotations

import keras
from keras import layers
from networks import fill

SHAPE = (6, 5, 2)
CLASSES = 4


def network(*start):
    """Return a network that begins with some layers."""
    entry = keras.Input(SHAPE)
    x = entry
    for layer in start:
        x = layer(x)
    x = layers.Flatten()(layers.Activation("relu")(x))
    return fill(keras.Model(entry, layers.Dense(CLASSES, activation="softmax")(x)))


STARTS = {
    "conv": lambda: [layers.Conv2D(3, 3, activation="relu", name="first")],
    "scaled conv": lambda: [layers.Rescaling(1 / 2, offset=-0.3), layers.Conv2D(3, 2)],
    "norm": lambda: [layers.Normalization(mean=0.4, variance=2.0), layers.Conv2D(3, 3, strides=2)],
    "padded": lambda: [layers.ZeroPadding2D(2), layers.Conv2D(3, 3, padding="same")],
    "depthwise": lambda: [layers.DepthwiseConv2D(3, activation="tanh", name="first")],
    "separable": lambda: [layers.SeparableConv2D(3, 3, activation="gelu")],
    "batch norm": lambda: [layers.Conv2D(3, 3), layers.BatchNormalization()],
    "averaged": lambda: [layers.Conv2D(3, 3), layers.AveragePooling2D(2), layers.Dropout(0.5)],
    "dense": lambda: [layers.Flatten(), layers.Dense(7, activation="relu", name="first")],
    "two convs": lambda: [layers.Conv2D(3, 2, use_bias=False), layers.Conv2D(4, 2)],
    "transposed": lambda: [layers.Conv2DTranspose(3, 2), layers.Cropping2D(1)],
}

# Behind the first layer, what can be done while sums are made; the image is not a whole number of
# windows high.
FRONTS = {
    "pooled": lambda: [layers.Conv2D(3, 2, activation="relu"), layers.MaxPooling2D(2)],
    "pooled first": lambda: [layers.Conv2D(3, 2), layers.MaxPooling2D((2, 1)), layers.ReLU()],
    "pooled in rows": lambda: [layers.Conv2D(2, 1), layers.ReLU(), layers.MaxPooling2D((4, 3))],
    "pooled alone": lambda: [layers.Conv2D(2, 3, padding="same"), layers.MaxPooling2D(2)],
}
