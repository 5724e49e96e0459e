"""One classifier in all the shapes that its last layers may have.

Each takes images of 2x2x1 and gives the class k the logit sum_i pixel_i * kernel[i, k] + bias[k].
"""

from __future__ import annotations

import keras
from keras import layers

SHAPE = (2, 2, 1)


def dense(kernel, bias, activation=None):
    """Return the deciding layer with the weights still to be set, and how to set them."""
    layer = layers.Dense(kernel.shape[1], activation=activation, name="deciding")
    layer.build((None, kernel.shape[0]))
    layer.set_weights([kernel, bias])
    return layer


def functional(kernel, bias, *after, activation=None):
    inputs = keras.Input(SHAPE)
    outputs = dense(kernel, bias, activation)(layers.Flatten()(inputs))
    for layer in after:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def softmax_in_the_layer(kernel, bias):
    return functional(kernel, bias, activation="softmax")


def softmax_as_an_activation_layer(kernel, bias):
    return functional(kernel, bias, layers.Activation("softmax"))


def softmax_as_its_own_layer(kernel, bias):
    return functional(kernel, bias, layers.Softmax())


def raw_logits(kernel, bias):
    return functional(kernel, bias)


def sequential(kernel, bias):
    flat = layers.Flatten()
    return keras.Sequential([keras.Input(SHAPE), flat, dense(kernel, bias, "softmax")])


def nested_with_its_softmax_inside(kernel, bias):
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, softmax_in_the_layer(kernel, bias)(inputs))


def nested_logits(kernel, bias):
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, raw_logits(kernel, bias)(inputs))


def nested_with_its_softmax_outside(kernel, bias):
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, layers.Activation("softmax")(raw_logits(kernel, bias)(inputs)))


SOFTMAX = (
    softmax_in_the_layer,
    softmax_as_an_activation_layer,
    softmax_as_its_own_layer,
    sequential,
    nested_with_its_softmax_outside,
)
LOGITS = (raw_logits, nested_logits)
HEADS = (*SOFTMAX, *LOGITS, nested_with_its_softmax_inside)
