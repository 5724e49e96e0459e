"""STRIP: an input whose label survives every superimposition carries a trigger.

Gao et al., "STRIP: A Defence Against Trojan Attacks on Deep Neural Networks", ACSAC 2019,
arXiv:1902.06531. For an input x and clean overlays o_1 … o_N the mixes a*x + b*o_n are
classified, p_n = f(a*x + b*o_n), and H = (1/N) * sum_n sum_c -p_nc * log2(p_nc) is their mean
entropy in bits. A LOW entropy is suspicious.

Most inputs are decided by the first few overlays; `staging` says when that is safe, and why the
promise on false rejections is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from badrepair import calibration as calibrations
from badrepair import staging
from badrepair.copies import distinct
from badrepair.detectors.fitted_strip import FittedStrip
from badrepair.errors import DataError, OptionError, require_option
from badrepair.models import inference
from badrepair.models.superimposing import Superimposer
from badrepair.words import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras
    from numpy.typing import NDArray

    from badrepair.types import Dataset

Mix = Literal["add", "blend", "auto"]
# Weights of the image and the overlay; "add" is what the authors' notebook does.
WEIGHTS: Mapping[str, tuple[float, float]] = {"add": (1.0, 1.0), "blend": (0.5, 0.5)}
# Bands do not become better by more images than these.
MOST_LEARNING = 500
LOW_QUANTILE = 0.05


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Superimpose an input with clean images and flag it if the answers hardly vary.

    Args:
        overlays: Number N of clean images kept to superimpose.
        frr: Share of clean inputs that we agree to flag, in (0, 1).
        calibration: How the threshold follows from clean entropies: "conformal" guarantees the
            share on average over calibration sets, "pac" with `confidence`; "normal" takes the
            quantile of a normal fit, "empirical" the plain quantile.
        confidence: Of pac, in (0, 1).
        mix: "add" takes the weights 1 and 1, "blend" 0.5 and 0.5; "auto" takes those of the two
            under which clean images keep the higher entropy.
        image_weight: Weight a of the input in a mix; what `mix` says if None.
        overlay_weight: Weight b of the overlay; likewise. Mixes are not clipped.
        exact: Whether all overlays are looked at for every input.
        batch_size: Mixes a call, and images in work at a time; found out by trying if None.
        seed: Fixes which clean images become overlays, which are learnt from and which calibrate.
    """

    overlays: int = 100
    frr: float = 0.01
    calibration: calibrations.Kind = "conformal"
    confidence: float = calibrations.CONFIDENCE
    mix: Mix = "add"
    image_weight: float | None = None
    overlay_weight: float | None = None
    exact: bool = False
    batch_size: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        weights = (self.image_weight, self.overlay_weight)
        size = self.batch_size
        calibrations.check_options(
            calibration=self.calibration, frr=self.frr, confidence=self.confidence
        )
        mixes = ", ".join([*WEIGHTS, "auto"])
        expected = {
            "--overlays": (self.overlays >= 2, "of 2 or more", self.overlays),
            "--mix": (self.mix in mixes.split(", "), f"out of {mixes}", self.mix),
            "--image-weight": (_is_weight(self.image_weight), "above 0", self.image_weight),
            "--overlay-weight": (_is_weight(self.overlay_weight), "above 0", self.overlay_weight),
            "--batch-size": (size is None or size >= 1, "of 1 or more", size),
        }
        for option, (holds, meaning, found) in expected.items():
            require_option(option, holds, f"a value {meaning}", found)
        if self.mix == "auto" and weights != (None, None):
            problem = "expected auto or weights, found both"
            raise OptionError("OptionInvalid", "--mix", problem, "leave one of them out")

    def fit(self, model: keras.Model, clean: Dataset) -> FittedStrip:
        """Return a detector calibrated on clean data; the model is left untouched.

        Copies of an image count once.

        Raises:
            DataError: There are too few clean images for the overlays and the asked rate.
        """
        bank, learning, calibrating = self._parts(clean)
        overlays = np.asarray(bank.images[:], np.float32)
        detector, why = self._mixing(model, overlays)
        order, stages = staging.learnt(detector.entropies(learning.images))
        detector = replace(
            detector,
            superimposer=detector.superimposer.reordered(order),
            stages=stages,
            learning=len(learning),
            mix_why=why,
        )
        scores = detector.score(calibrating.images)
        bits = calibrations.threshold(
            self.calibration, scores, self.frr, confidence=self.confidence
        )
        return replace(detector, calibration=scores, threshold=bits)

    def _parts(self, clean: Dataset) -> tuple[Dataset, Dataset, Dataset]:
        """Return disjoint parts: the overlays, those that stages are learnt from, the others."""
        clean = distinct(clean, batch_size=self.batch_size or inference.BATCH)
        if len(clean) < self.clean_images_needed:
            raise self.too_few(clean)
        needed = self._calibrating
        bank, rest = clean.split(self.overlays / len(clean), seed=self.seed)
        learning = min(len(rest) // 2, len(rest) - needed, MOST_LEARNING)
        if self.exact or not staging.can_be_learnt(learning, self.overlays):
            learning = 0
        return bank, *rest.split(learning / len(rest), seed=self.seed)

    @property
    def clean_images_needed(self) -> int:
        """Return how many different clean images the overlays and the asked rate need."""
        return self.overlays + self._calibrating

    @property
    def _calibrating(self) -> int:
        return calibrations.needed(self.calibration, self.frr, self.confidence)

    def too_few(self, clean: Dataset, *, share: float = 1.0) -> DataError:
        """Return the error that says how many clean images are needed, and for what.

        Args:
            clean: All that there are.
            share: How much of them fits the detector; the rest measures.
        """
        least = math.ceil(self.clean_images_needed / share)
        calibrating = f"{self._calibrating} that calibrate for a rate of {self.frr:g}"
        if self.calibration == "pac":
            calibrating += f" at {100 * self.confidence:g}% confidence"
        parts = f"{self.overlays} overlays, {calibrating}"
        hint = "give more clean images, fewer --overlays, or a larger --frr"
        if share < 1:
            parts += f", and {percent(1 - share)} to measure on"
            hint += "; --test FILE measures on others"
        problem = (
            f"expected {least:,} different clean images or more ({parts}), found {len(clean):,}"
        )
        return DataError("TooFewImages", clean.name, problem, hint)

    def _mixing(self, model: keras.Model, overlays: NDArray[np.float32]) -> tuple[FittedStrip, str]:
        """Return an uncalibrated detector with the weights that were asked for, or found best."""
        if self.mix != "auto":
            first, second = WEIGHTS[self.mix]
            weights = (self.image_weight or first, self.overlay_weight or second)
            return self._untaught(model, overlays, weights), ""
        tried = {name: self._untaught(model, overlays, WEIGHTS[name]) for name in WEIGHTS}
        # The overlays mixed with each other: clean images, and none that calibrates.
        lows = {
            name: float(np.quantile(detector.score(overlays), LOW_QUANTILE))
            for name, detector in tried.items()
        }
        best = max(lows, key=lows.__getitem__)
        found = ", ".join(f"{bits:.3g} bits with {name}" for name, bits in lows.items())
        share = percent(1 - LOW_QUANTILE)
        why = f"mixes are made by {best}: {share} of the overlays keep at least {found}"
        return tried[best], why

    def _untaught(
        self, model: keras.Model, overlays: NDArray[np.float32], weights: tuple[float, float]
    ) -> FittedStrip:
        return FittedStrip(
            superimposer=Superimposer(model, overlays, weights, batch_size=self.batch_size),
            stages=staging.all_at_once(len(overlays)),
            kind=self.calibration,
            frr=self.frr,
        )


def _is_weight(value: float | None) -> bool:
    return value is None or (math.isfinite(value) and value > 0)
