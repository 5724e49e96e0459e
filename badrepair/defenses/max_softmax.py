"""Maximum softmax: an answer that is surer than those to clean images is suspicious.

Hendrycks and Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples in
Neural Networks", ICLR 2017, arXiv:1610.02136, look at the largest probability p of an answer and
suspect a small one. A trigger tends to be answered with more confidence than any clean image, so
here a large one is suspicious: the score is log(1 - p), and LOW is suspicious. It takes one pass
an input, and is the floor that a detector with more effort should be better than.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from badrepair.calibration import CONFIDENCE, Kind, check_options, threshold
from badrepair.copies import distinct
from badrepair.errors import ModelError, require_option
from badrepair.models import guards, inference
from badrepair.models.logits import logits_model
from badrepair.models.surgery import copy_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras
    from numpy.typing import NDArray

    from badrepair.types import Dataset
    from badrepair.views import Images


@dataclass(frozen=True, kw_only=True)
class MaxSoftmax:
    """Flag an input that is answered with more confidence than clean images are.

    Args:
        frr: Share of clean inputs that we agree to flag, in (0, 1).
        calibration: How the threshold follows from clean scores: "conformal" guarantees the
            share on average over calibration sets, "pac" with `confidence`; "normal" takes the
            quantile of a normal fit, "empirical" the plain quantile.
        confidence: Of "pac" only: how sure it is that the share is kept, in (0, 1).
        batch_size: Images a call.
        seed: Changes nothing, since nothing is random: all clean images calibrate.
    """

    frr: float = 0.01
    calibration: Kind = "conformal"
    confidence: float = CONFIDENCE
    batch_size: int = inference.BATCH
    seed: int = 0

    def __post_init__(self) -> None:
        check_options(calibration=self.calibration, frr=self.frr, confidence=self.confidence)
        sized = self.batch_size >= 1
        require_option("--batch-size", sized, "a value of 1 or more", self.batch_size)

    def fit(self, model: keras.Model, clean: Dataset) -> FittedMaxSoftmax:
        """Return a detector calibrated on clean data; the model is left untouched.

        Copies of an image count once.

        Raises:
            DataError: There are too few clean images for the asked rate.
            ModelError: The network has one class only, of which it cannot be unsure.
        """
        if int(model.output_shape[-1]) < 2:
            problem = "expected a network of two classes or more, found one class"
            raise ModelError("UnsupportedTopology", model.name, problem)
        uncalibrated = FittedMaxSoftmax(defense=self, model=copy_model(model))
        scores = uncalibrated.score(distinct(clean, batch_size=self.batch_size).images)
        return FittedMaxSoftmax(
            defense=self,
            model=uncalibrated.model,
            calibration=scores,
            threshold=threshold(self.calibration, scores, self.frr, confidence=self.confidence),
        )


@dataclass(frozen=True, kw_only=True)
class FittedMaxSoftmax:
    """A detector of answers that are too sure, with its threshold.

    Args:
        defense: The settings it was made with.
        model: The network it watches.
        calibration: Scores of the clean calibration images.
        threshold: A score; an input below it is flagged. -inf flags nothing.
    """

    defense: MaxSoftmax
    model: keras.Model
    calibration: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    threshold: float = -math.inf

    @property
    def name(self) -> str:
        """Return what to call it in tables."""
        return "max-softmax"

    @property
    def choices(self) -> Mapping[str, Any]:
        """Return what was chosen and why: plain values that go into the record."""
        below = int(np.sum(self.calibration < self.threshold))
        return {
            "threshold_log_probability": self.threshold,
            "calibration": self.defense.calibration,
            "images": {"calibration": len(self.calibration)},
            "why": (
                f"{self.defense.calibration} calibration for {self.defense.frr:.2%} false"
                f" rejections: {below} of {len(self.calibration)} clean calibration images are"
                f" answered with a probability above 1 - exp({self.threshold:.4g})"
            ),
        }

    def score(self, images: Images) -> NDArray[np.float64]:
        """Return the log of the probability that is not on the answer, for every image.

        Shape (N,), finite: an answer that is no number counts as the surest.
        """
        if not len(images):
            return np.empty(0)
        return inference.run(
            logits_model(self.model),
            images,
            log_of_the_rest,
            batch_size=self.defense.batch_size,
            label="looking at the confidence",
        )

    def flag(self, images: Images) -> NDArray[np.bool_]:
        """Return which images are flagged as poisoned, shape (N,)."""
        return self.score(images) < self.threshold

    def as_model(self) -> keras.Model:
        """Return the guarded network with N+1 outputs; N means "this input is poisoned"."""
        return guards.confidence_guard(self.model, self.threshold)


def log_of_the_rest(logits: Any) -> Any:
    """Return log(1 - p) for the largest probability p of each answer, in float64.

    It is the log of the sum of the others, since 1 - p is 0 in floating point long before they
    are. Logits that are no numbers, or further apart than numbers reach, give `guards.SUREST`.
    """
    logits = tf.cast(logits, tf.float64)
    top = tf.one_hot(tf.argmax(logits, axis=-1), logits.shape[-1], True, False, dtype=tf.bool)
    others = tf.where(top, tf.constant(-math.inf, tf.float64), logits)
    logs = tf.reduce_logsumexp(others, axis=-1) - tf.reduce_logsumexp(logits, axis=-1)
    surest = tf.constant(guards.SUREST, tf.float64)
    return tf.where(tf.math.is_finite(logs), tf.maximum(logs, surest), surest)
