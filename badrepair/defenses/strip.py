"""STRIP: an input whose label survives every superimposition carries a trigger.

Gao et al., "STRIP: A Defence Against Trojan Attacks on Deep Neural Networks", ACSAC 2019,
arXiv:1902.06531. For an input x and clean overlays o_1 … o_N the mixes a*x + b*o_n are
classified, p_n = f(a*x + b*o_n), and H = (1/N) * sum_n sum_c -p_nc * log2(p_nc) is their mean
entropy in bits. A LOW entropy is suspicious.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import tensorflow as tf

from badrepair import metrics
from badrepair.errors import DataError, OptionError
from badrepair.models import guards, inference
from badrepair.models.logits import logits_model
from badrepair.models.surgery import copy_model
from badrepair.views import batches

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras
    from numpy.typing import NDArray

    from badrepair.types import Dataset
    from badrepair.views import Images


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Superimpose an input with clean images and flag it if the answers hardly vary.

    Args:
        overlays: Number N of clean images kept to superimpose.
        frr: Share of clean inputs that we agree to flag, in (0, 1).
        calibration: How the threshold follows from clean entropies: "conformal" guarantees the
            share on average over calibration sets, "pac" for 95 % of them; "normal" takes the
            quantile of a normal fit, "empirical" the plain quantile.
        image_weight: Weight a of the input in a mix.
        overlay_weight: Weight b of the overlay in a mix; mixes are not clipped.
        batch_size: Mixes a call.
        seed: Fixes which clean images become overlays and which calibrate.
    """

    overlays: int = 100
    frr: float = 0.01
    calibration: Literal["conformal", "pac", "normal", "empirical"] = "conformal"
    image_weight: float = 1.0
    overlay_weight: float = 1.0
    batch_size: int = inference.BATCH
    seed: int = 0

    def __post_init__(self) -> None:
        expected = {
            "--overlays": (self.overlays >= 1, "of 1 or more", self.overlays),
            "--frr": (0 < self.frr < 1, "in (0, 1)", self.frr),
            "--calibration": (
                self.calibration in metrics.THRESHOLDS,
                f"out of {', '.join(metrics.THRESHOLDS)}",
                self.calibration,
            ),
            "--image-weight": (_is_weight(self.image_weight), "above 0", self.image_weight),
            "--overlay-weight": (_is_weight(self.overlay_weight), "above 0", self.overlay_weight),
            "--batch-size": (self.batch_size >= 1, "of 1 or more", self.batch_size),
        }
        for option, (holds, meaning, found) in expected.items():
            if not holds:
                raise OptionError(
                    "OptionInvalid", option, f"expected a value {meaning}, found {found}"
                )

    def fit(self, model: keras.Model, clean: Dataset) -> FittedStrip:
        """Return a detector calibrated on clean data; the model is left untouched.

        Raises:
            DataError: There are too few clean images for the overlays and the asked rate.
        """
        if len(clean) <= self.overlays:
            raise DataError(
                "TooFewImages",
                clean.name,
                f"expected more than {self.overlays} clean images (the overlays, and others to"
                f" calibrate on), found {len(clean)}",
                "give more clean images, or fewer --overlays",
            )
        bank, calibration = clean.split(self.overlays / len(clean), seed=self.seed)
        detector = FittedStrip(
            defense=self,
            model=copy_model(model),
            overlays=np.asarray(bank.images[:], np.float32),
        )
        entropies = detector.score(calibration.images)
        threshold = metrics.THRESHOLDS[self.calibration](entropies, self.frr)
        return detector.calibrated(entropies, threshold)


@dataclass(frozen=True, kw_only=True)
class FittedStrip:
    """A STRIP detector with its overlays and its threshold.

    Args:
        defense: The settings it was made with.
        model: The network it watches.
        overlays: Shape (N, H, W, C).
        calibration: Entropies of the clean calibration images, in bits.
        threshold: Bits; an input below it is flagged. -inf flags nothing.
    """

    defense: Strip
    model: keras.Model
    overlays: NDArray[np.float32]
    calibration: NDArray[np.float64] | None = None
    threshold: float = -math.inf

    def calibrated(self, entropies: NDArray[np.float64], threshold: float) -> FittedStrip:
        """Return the same detector with a threshold and the clean entropies it came from."""
        return FittedStrip(
            defense=self.defense,
            model=self.model,
            overlays=self.overlays,
            calibration=entropies,
            threshold=threshold,
        )

    @property
    def choices(self) -> Mapping[str, Any]:
        """Return what was chosen and why: plain values that go into the record."""
        calibration = self.calibration if self.calibration is not None else np.empty(0)
        below = int(np.sum(calibration < self.threshold))
        return {
            "threshold_bits": self.threshold,
            "calibration": self.defense.calibration,
            "image_weight": self.defense.image_weight,
            "overlay_weight": self.defense.overlay_weight,
            "images": {"overlays": len(self.overlays), "calibration": len(calibration)},
            "why": (
                f"{self.defense.calibration} calibration for {self.defense.frr:.2%} false"
                f" rejections: {below} of {len(calibration)} clean calibration images lie below"
                f" {self.threshold:.4g} bits"
            ),
        }

    def score(self, images: Images) -> NDArray[np.float64]:
        """Return the mean entropy of every image's mixes, in bits, shape (N,).

        An image is never mixed with itself: an overlay equal to it does not count.
        """
        entropies = np.where(self._itself(images), np.nan, self.entropies(images))
        if np.isnan(entropies).all(axis=1).any():
            raise DataError(
                "TooFewImages",
                "overlays",
                "expected an overlay other than the image itself, found none",
                "keep more --overlays",
            )
        return np.asarray(np.nanmean(entropies, axis=1))

    def _itself(self, images: Images) -> NDArray[np.bool_]:
        """Return which overlays are which images, shape (images, overlays)."""
        same = np.zeros((len(images), len(self.overlays)), dtype=bool)
        keys: dict[bytes, list[int]] = {}
        for index, overlay in enumerate(self.overlays):
            keys.setdefault(overlay.tobytes(), []).append(index)
        rows = (row for batch in batches(images, self.defense.batch_size) for row in batch)
        for index, row in enumerate(rows):
            same[index, keys.get(np.asarray(row, np.float32).tobytes(), [])] = True
        return same

    def entropies(self, images: Images) -> NDArray[np.float64]:
        """Return the entropy of every mix in bits, shape (images, overlays)."""
        if not len(images):
            return np.empty((0, len(self.overlays)))
        inputs_a_call = max(1, self.defense.batch_size // len(self.overlays))
        return inference.run(self._mixer, images, batch_size=inputs_a_call, label="superimposing")

    def flag(self, images: Images) -> NDArray[np.bool_]:
        """Return which images are flagged as poisoned, shape (N,)."""
        return self.score(images) < self.threshold

    def as_model(self) -> keras.Model:
        """Return the guarded network with N+1 outputs; N means "this input is poisoned"."""
        return guards.entropy_guard(
            self.model,
            self.overlays,
            image_weight=self.defense.image_weight,
            overlay_weight=self.defense.overlay_weight,
            threshold_bits=self.threshold,
        )

    @cached_property
    def _mixer(self) -> Any:
        """Return a function from images (n, H, W, C) to entropies (n, overlays)."""
        classify = logits_model(self.model)
        first = self.defense.image_weight
        bank = tf.constant(self.defense.overlay_weight * self.overlays)

        def entropies(images: Any, training: bool = False) -> Any:
            mixes = first * images[:, None] + bank[None]
            flat = tf.reshape(mixes, (-1, *self.overlays.shape[1:]))
            # float64, so that the entropy of a confident answer does not vanish.
            logits = tf.cast(classify(flat, training=training), tf.float64)
            logs = tf.nn.log_softmax(logits)
            bits = -tf.reduce_sum(tf.exp(logs) * logs, axis=-1) / math.log(2)
            # An answer that is no number counts as the surest, and so raises suspicion.
            bits = tf.where(tf.math.is_finite(bits), bits, tf.zeros_like(bits))
            return tf.reshape(bits, (-1, len(self.overlays)))

        return entropies


def _is_weight(value: float) -> bool:
    return math.isfinite(value) and value > 0
