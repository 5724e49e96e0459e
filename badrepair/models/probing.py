"""Which pixel range a network takes, judged without labelled images: a surmise that is said aloud.

A network trained on 0..255 hardly sees inputs of 0..1: its biases decide, so that one class
swallows nearly all of them, or all classes look alike to it. A network trained on 0..1 answers
variedly and surely at 0..1 (and often at 0..255 too, since a network of ReLUs is nearly
homogeneous). So varied and sure answers at 0..1 speak for 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image
from scipy.special import softmax
from scipy.stats import entropy

from badrepair.models import inference
from badrepair.models.logits import logits_model

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

PROBES = 200
COARSE = 6
# Where the most frequent answer has this share, or entropy this share of its maximum, the network
# does not tell the probes apart. On the CSAW BadNets at 0..1 the worst are 0.45 and 0.02, on
# small networks trained on digits 0.85 and 0.19; fed with 1/255 of their range, all reach 1.00 of
# the one, or 0.87 of the other.
ONE_CLASS = 0.95
UNSURE = 0.5


@dataclass(frozen=True)
class Surmise:
    """A range and the observation that speaks for it."""

    input_range: Literal["0-1", "0-255"]
    sentence: str


def surmise_range(model: keras.Model, *, seed: int = 0) -> Surmise | None:
    """Return which range the network seems to take; None if its answers do not tell.

    Args:
        model: Takes (n, H, W, C) of fixed size.
        seed: Fixes the probe images.
    """
    shape = model.input_shape[1:]
    if None in shape:
        return None
    probes = smooth_noise(PROBES, shape, seed=seed)
    ranges: tuple[tuple[Literal["0-1", "0-255"], int], ...] = (("0-1", 1), ("0-255", 255))
    for name, top in ranges:
        share, uncertainty = _response(model, probes * np.float32(top))
        if share < ONE_CLASS and uncertainty < UNSURE:
            return Surmise(
                name,
                f"the model seems to take {name.replace('-', '..')}: there its answers to"
                f" {PROBES} images of smooth noise are sure and varied (the most frequent has"
                f" {share:.0%}); --input-range sets it, --clean tries it on labelled images",
            )
    return None


def smooth_noise(n: int, shape: tuple[int, int, int], *, seed: int) -> NDArray[np.float32]:
    """Return random images in [0, 1] without fine detail, shape (n, H, W, C)."""
    height, width, channels = shape
    random = np.random.default_rng(seed)
    coarse = random.random((n, channels, COARSE, COARSE), dtype=np.float32)
    planes = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC))
        for plane in coarse.reshape(-1, COARSE, COARSE)
    ]
    images = np.stack(planes).reshape(n, channels, height, width).transpose(0, 2, 3, 1)
    return np.asarray(np.clip(images, 0, 1))


def _response(model: keras.Model, images: NDArray[np.float32]) -> tuple[float, float]:
    """Return the share of the most frequent answer, and the median entropy over its maximum."""
    logits = inference.run(logits_model(model), images, label="trying input ranges")
    probabilities = softmax(logits.astype(np.float64), axis=1)
    entropies = entropy(probabilities, base=logits.shape[1], axis=1)
    share = np.bincount(logits.argmax(axis=1)).max() / len(logits)
    return float(share), float(np.median(entropies))
