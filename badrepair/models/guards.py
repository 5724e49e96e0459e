"""Networks that may refuse to answer: N+1 outputs, of which N means "this input is poisoned".

They are plain Keras graphs of standard layers, so that Keras loads them without badrepair. Each
takes a flag s in [0, 1] and answers the classifier's probabilities times 1 - s, and s: all
outputs sum to one, and N wins where s is 1. Abstaining by zeros would answer class 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from badrepair.errors import ModelError
from badrepair.models.logits import logits_model
from badrepair.models.surgery import copy_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

GUARD_LAYER = "classes_and_poisoned"
# A flag is a ramp this steep: all but a band of a millionth around the threshold is 0 or 1.
STEEPNESS = 1e6


def is_guard(model: keras.Model) -> bool:
    """Return whether the network is one of ours, with an output that means "poisoned"."""
    return bool(model.layers) and model.layers[-1].name == GUARD_LAYER


def disagreement_guard(original: keras.Model, repaired: keras.Model) -> keras.Model:
    """Return the network that answers as the original does where the repaired one agrees, else N.

    Liu et al., RAID 2018, evaluate the original and the pruned network; the course exercise on
    the CSAW BadNets turns their disagreement into the extra class N.
    """
    _require_unguarded(original, repaired)
    inputs = keras.Input(original.input_shape[1:], name="input")
    first, second = (
        _named(logits_model(model), name)(inputs)
        for model, name in ((original, "original"), (repaired, "repaired"))
    )
    agreement = layers.Dot(axes=1, name="agreement")([_one_hot(first), _one_hot(second)])
    flag = layers.Rescaling(-1.0, 1.0, name="disagreement")(agreement)
    probabilities = layers.Activation("softmax", name="probabilities")(first)
    return _guard(inputs, probabilities, flag)


def entropy_guard(
    model: keras.Model,
    overlays: NDArray[np.float32],
    *,
    image_weight: float,
    overlay_weight: float,
    threshold_bits: float,
) -> keras.Model:
    """Return the network that answers N where superimposed copies are classified too steadily.

    Args:
        model: Takes (n, H, W, C).
        overlays: Clean images, shape (N, H, W, C), stored as a constant bias.
        image_weight: Weight of the input in each mix.
        overlay_weight: Weight of the overlay in each mix.
        threshold_bits: An input whose mean entropy over the mixes is below it is flagged.
    """
    _require_unguarded(model)
    shape, count = overlays.shape[1:], len(overlays)
    inputs = keras.Input(shape, name="input")
    stack = _stack(inputs, overlays, image_weight, overlay_weight)
    logits = _named(logits_model(model), "classifier")(ops.reshape(stack, (-1, *shape)))
    logits = ops.reshape(logits, (-1, count + 1, logits.shape[-1]))
    own = layers.Flatten()(layers.Cropping1D((0, count), name="image_itself")(logits))
    probabilities = layers.Activation("softmax", name="probabilities")(own)
    mixes = layers.Cropping1D((1, 0), name="mixes")(logits)
    terms = layers.Multiply(name="p_log_p")(
        [layers.Activation("softmax")(mixes), layers.Activation("log_softmax")(mixes)]
    )
    means = layers.GlobalAveragePooling1D(name="mean_over_mixes")(terms)
    total = layers.Dense(1, use_bias=False, kernel_initializer="ones", name="sum")(means)
    # flag = clip(STEEPNESS * (threshold - entropy), 0, 1), where total = -entropy * ln 2.
    ramp = layers.Rescaling(
        STEEPNESS / math.log(2), STEEPNESS * threshold_bits, name="below_threshold"
    )
    flag = layers.ReLU(max_value=1.0, name="flag")(ramp(total))
    return _guard(inputs, probabilities, flag)


def _stack(
    inputs: Any, overlays: NDArray[np.float32], image_weight: float, overlay_weight: float
) -> Any:
    """Return the raw image and its mixes as rows, shape (n, N + 1, H * W * C)."""
    count, size = len(overlays), int(np.prod(overlays.shape[1:]))
    rows = layers.RepeatVector(count + 1, name="copies")(layers.Flatten()(inputs))
    mix = layers.EinsumDense("nmp,m->nmp", (count + 1, size), bias_axes="mp", name="overlays")
    mixes = mix(rows)
    weights = np.full(count + 1, image_weight, np.float32)
    weights[0] = 1
    bank = np.zeros((count + 1, size), np.float32)
    bank[1:] = overlay_weight * overlays.reshape(count, size)
    mix.set_weights([weights, bank])
    return mixes


def _one_hot(logits: Any) -> Any:
    """Return 1 at the largest logit and 0 elsewhere, shape (n, K)."""
    classes = logits.shape[-1]
    column = layers.Reshape((classes, 1))(logits)
    distance = layers.Subtract()([logits, layers.GlobalMaxPooling1D()(column)])
    # 1 + STEEPNESS * (logit - largest) is 1 at the largest and far below 0 elsewhere.
    return layers.ReLU()(layers.Rescaling(STEEPNESS, 1.0)(distance))


def _guard(inputs: Any, probabilities: Any, flag: Any) -> keras.Model:
    kept = layers.Rescaling(-1.0, 1.0, name="kept")(flag)
    scaled = layers.Multiply(name="probabilities_if_kept")([probabilities, kept])
    outputs = layers.Concatenate(name=GUARD_LAYER)([scaled, flag])
    return keras.Model(inputs, outputs, name="guarded")


def _named(model: keras.Model, name: str) -> keras.Model:
    """Return a copy under a name, so that two copies can stand in one network."""
    copy = copy_model(model)
    copy.name = name
    return copy


def _require_unguarded(*models: keras.Model) -> None:
    for model in models:
        if is_guard(model):
            raise ModelError(
                "AlreadyGuarded",
                model.name,
                "expected a plain classifier, found one that is guarded already",
                "give the model it was made from",
            )
