"""Networks that may refuse to answer: N+1 outputs, of which N means "this input is poisoned".

They are plain Keras graphs of standard layers and operations, so that Keras loads them without
badrepair. Each has a flag s of 0 or 1 and answers the classifier's probabilities times 1 - s, and
s itself: the outputs sum to one, and N wins where s is 1. Abstaining by zeros would answer class
0, and so would logits that are no numbers: those raise the flag.
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

    from badrepair.staging import Stages

OVERLAY_LAYER = "overlays"
GUARD_LAYER = "classes_and_poisoned"
# The lowest score of a confidence guard: of answers that are no numbers.
SUREST = float(np.finfo(np.float32).min)


def is_guard(model: keras.Model) -> bool:
    """Return whether the network is one of ours, with an output that means "poisoned"."""
    return bool(model.layers) and model.layers[-1].name == GUARD_LAYER


def passes_an_input(model: keras.Model) -> int:
    """Return how many images the classifier inside sees for each input."""
    stacked = [layer for layer in model.layers if layer.name == OVERLAY_LAYER]
    return int(stacked[0].output.shape[1]) if stacked and is_guard(model) else 1


def disagreement_guard(original: keras.Model, repaired: keras.Model) -> keras.Model:
    """Return the network that answers as the original does where the repaired one agrees, else N.

    Liu et al., RAID 2018, evaluate the original and the pruned network; the course exercise on
    the CSAW BadNets turns their disagreement into the extra class N.
    """
    require_unguarded(original)
    require_unguarded(repaired)
    inputs = keras.Input(original.input_shape[1:], name="input")
    first, second = (
        _named(logits_model(model), name)(inputs)
        for model, name in ((original, "original"), (repaired, "repaired"))
    )
    answers = (ops.argmax(logits, axis=-1, keepdims=True) for logits in (first, second))
    flag = ops.where(ops.not_equal(*answers), 1.0, 0.0)
    return _guard(inputs, first, flag)


def entropy_guard(
    model: keras.Model,
    overlays: NDArray[np.float32],
    *,
    weights: tuple[float, float],
    stages: Stages,
    threshold_bits: float,
) -> keras.Model:
    """Return the network that answers N where superimposed copies are classified too steadily.

    It decides as the staged detector does, and looks at all overlays for that.

    Args:
        model: Takes (n, H, W, C).
        overlays: Clean images, shape (N, H, W, C), stored as a constant bias.
        weights: Of the input and of the overlay in each mix.
        stages: How the decision follows from the entropies of the mixes.
        threshold_bits: An input whose score is below it is flagged.
    """
    require_unguarded(model)
    shape, count = overlays.shape[1:], len(overlays)
    inputs = keras.Input(shape, name="input")
    stack = _stack(inputs, overlays, *weights)
    logits = _named(logits_model(model), "classifier")(ops.reshape(stack, (-1, *shape)))
    logits = ops.reshape(logits, (-1, count + 1, logits.shape[-1]))
    own = layers.Flatten()(layers.Cropping1D((0, count), name="image_itself")(logits))
    mixes = layers.Cropping1D((1, 0), name="mixes")(logits)
    terms = layers.Multiply(name="p_log_p")(
        [layers.Activation("softmax")(mixes), layers.Activation("log_softmax")(mixes)]
    )
    # A mix whose entropy is no number counts as the surest of answers.
    per_bit = np.full((logits.shape[-1], 1), -1 / math.log(2))
    bits = _fixed_dense(ops.nan_to_num(terms), per_bit, "entropy_bits")
    return _guard(inputs, own, _staged(ops.reshape(bits, (-1, count)), stages, threshold_bits))


def _staged(bits: Any, stages: Stages, threshold_bits: float) -> Any:
    """Return 1 where the first look that decides flags, else 0.

    A look that flags counts +1, one that passes -1, an undecided one 0, each twice as much as
    the look behind it: so the sign of the sum is that of the first look that decides.

    Args:
        bits: Entropies of the mixes, shape (n, N).
        stages: When to look.
        threshold_bits: No entropy is below 0, so that nothing is flagged there.
    """
    threshold = max(threshold_bits, -1.0)
    looked_at = np.arange(bits.shape[1])[:, None] < stages.looks
    means = looked_at * stages.factor / stages.looks
    upper = _fixed_dense(bits, means, "upper_ends", stages.above - threshold)
    lower = _fixed_dense(bits, means, "lower_ends", -stages.below - threshold)
    ends = (ops.where(ops.less(end, 0.0), 1.0, 0.0) for end in (upper, lower))
    counts = 2.0 ** np.arange(len(stages.looks))[::-1, None]
    decided = layers.Add(name="looks")(list(ends))
    total = _fixed_dense(decided, counts, "first_decision", [-counts.sum()])
    return ops.where(ops.less(0.0, total), 1.0, 0.0)


def _fixed_dense(values: Any, kernel: Any, name: str, bias: Any = None) -> Any:
    """Return values times a kernel that is no weight of the classifier, plus a bias."""
    dense = layers.Dense(np.shape(kernel)[1], use_bias=bias is not None, name=name)
    result = dense(values)
    dense.set_weights([np.asarray(part, np.float32) for part in (kernel, bias) if part is not None])
    return result


def _stack(
    inputs: Any, overlays: NDArray[np.float32], image_weight: float, overlay_weight: float
) -> Any:
    """Return the raw image and its mixes as rows, shape (n, N + 1, H * W * C)."""
    count, size = len(overlays), int(np.prod(overlays.shape[1:]))
    rows = layers.RepeatVector(count + 1, name="copies")(layers.Flatten()(inputs))
    mix = layers.EinsumDense("nmp,m->nmp", (count + 1, size), bias_axes="mp", name=OVERLAY_LAYER)
    mixes = mix(rows)
    weights = np.full(count + 1, image_weight, np.float32)
    weights[0] = 1
    bank = np.zeros((count + 1, size), np.float32)
    bank[1:] = overlay_weight * overlays.reshape(count, size)
    mix.set_weights([weights, bank])
    return mixes


def _guard(inputs: Any, logits: Any, flag: Any) -> keras.Model:
    """Return the network that answers the softmax of the logits, or N where the flag is up."""
    numbers = ops.nan_to_num(layers.Activation("softmax")(logits))
    total = layers.Dense(1, use_bias=False, kernel_initializer="ones", name="total")(numbers)
    flag = layers.Maximum(name="flag")([flag, ops.where(ops.less(total, 0.5), 1.0, 0.0)])
    kept = layers.Rescaling(-1.0, 1.0, name="kept")(flag)
    probabilities = layers.Multiply(name="probabilities_if_kept")([numbers, kept])
    outputs = layers.Concatenate(name=GUARD_LAYER)([probabilities, flag])
    return keras.Model(inputs, outputs, name="guarded")


def _named(model: keras.Model, name: str) -> keras.Model:
    """Return a copy under a name, so that two copies can stand in one network."""
    copy = copy_model(model)
    copy.name = name
    return copy


def require_unguarded(model: keras.Model, where: object | None = None) -> None:
    """Refuse a network that can answer "poisoned" already.

    Args:
        model: Any classifier.
        where: What to name in the error; the network's name if None.

    Raises:
        ModelError: AlreadyGuarded.
    """
    if is_guard(model):
        raise ModelError(
            "AlreadyGuarded",
            model.name if where is None else where,
            "expected a plain classifier, found one that is guarded already",
            "give the model it was made from",
        )


def confidence_guard(model: keras.Model, threshold: float) -> keras.Model:
    """Return the network that answers N where it is surer of its answer than it should be.

    Args:
        model: Takes (n, H, W, C), two classes or more.
        threshold: An input is flagged if log(1 - p) is below it, p being the largest probability.
    """
    require_unguarded(model)
    inputs = keras.Input(model.input_shape[1:], name="input")
    logits = _named(logits_model(model), "classifier")(inputs)
    rising = ops.sort(layers.Activation("log_softmax")(logits), axis=-1)
    others = layers.Cropping1D((0, 1), name="others")(layers.Reshape((-1, 1))(rising))
    # Of logs l and their log_softmax s, log(sum(exp(l))) = l - s, best seen at the largest l.
    others = layers.Flatten()(others)
    sums = layers.Subtract()([others, layers.Activation("log_softmax")(others)])
    last = layers.Cropping1D((int(others.shape[-1]) - 1, 0), name="second")
    rest = layers.Flatten(name="log_of_the_rest")(last(layers.Reshape((-1, 1))(sums)))
    surest = ops.nan_to_num(rest, nan=SUREST, posinf=SUREST, neginf=SUREST)
    return _guard(inputs, logits, ops.where(ops.less(surest, threshold), 1.0, 0.0))
