"""STRIP with its overlays, its stages and its threshold: it scores inputs and flags them.

See `badrepair.defenses.strip`, which makes it from clean images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair import calibration as calibrations
from badrepair import staging
from badrepair.detectors.sameness import Sameness
from badrepair.errors import DataError
from badrepair.models import guards
from badrepair.progress import track
from badrepair.types import Examination
from badrepair.views import batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import keras
    from numpy.typing import NDArray

    from badrepair.models.superimposing import Superimposer
    from badrepair.staging import Stages, Watch
    from badrepair.views import Images

# Images of which all mixes are classified together: enough to be quick, few for a progress bar.
IMAGES_A_STEP = 50
# Fewer mixes take as long as these: where few images are left, a call looks ahead.
LEAST_A_CALL = 32


@dataclass(frozen=True, kw_only=True)
class FittedStrip:
    """A STRIP detector with its overlays and its threshold.

    Args:
        superimposer: Mixes inputs with the overlays, in the order in which they are looked at.
        stages: When to look, and when to stop.
        calibration: Scores of the clean calibration images, in bits.
        threshold: Bits; an input whose score is below it is flagged. -inf flags nothing.
        kind: How the threshold follows from the calibration scores.
        frr: Share of clean inputs that may be flagged, in (0, 1).
        learning: Number of clean images that the stages were learnt from.
        mix_why: Why the mixes are made as they are, where that was chosen.
    """

    superimposer: Superimposer
    stages: Stages
    calibration: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    threshold: float = -math.inf
    kind: calibrations.Kind = "conformal"
    frr: float = 0.01
    learning: int = 0
    mix_why: str = ""

    @property
    def name(self) -> str:
        """Return what to call it in tables."""
        return "STRIP"

    @property
    def model(self) -> keras.Model:
        """Return the network that it watches."""
        return self.superimposer.model

    @property
    def overlays(self) -> NDArray[np.float32]:
        """Return the overlays in the order in which they are looked at, shape (N, H, W, C)."""
        return self.superimposer.overlays

    @property
    def choices(self) -> Mapping[str, Any]:
        """Return what was chosen and why: plain values that go into the record."""
        below = int(np.sum(self.calibration < self.threshold))
        first, second = self.superimposer.weights
        return {
            "threshold_bits": self.threshold,
            "calibration": self.kind,
            "image_weight": first,
            "overlay_weight": second,
            "mix": self.mix_why,
            "looks": self.stages.looks.tolist(),
            "images": {
                "overlays": len(self.overlays),
                "learning": self.learning,
                "calibration": len(self.calibration),
            },
            "why": (
                f"{self.kind} calibration for {self.frr:.2%} false rejections: {below} of"
                f" {len(self.calibration)} clean calibration images lie below"
                f" {self.threshold:.4g} bits"
            ),
        }

    def entropies(self, images: Images) -> NDArray[np.float64]:
        """Return the entropy of every mix in bits, shape (N, overlays).

        NaN where the overlay is the image itself: no image is mixed with itself. An image whose
        own answer is no number counts as the surest: its mixes have no entropy.
        """
        parts = [self._entropies(block) for block in self._blocks(images, IMAGES_A_STEP)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.overlays)))

    def _entropies(self, block: NDArray[np.float32]) -> NDArray[np.float64]:
        found = self.superimposer.entropies(
            self.superimposer.prepared(block), 0, len(self.overlays)
        )
        found[~self._known(block)] = 0
        found[self._sameness.of(block)] = np.nan
        return found

    def score(self, images: Images) -> NDArray[np.float64]:
        """Return the score of the whole staged procedure, in bits, shape (N,).

        It is the mean entropy of an image's mixes, where the image stays within the bands.
        """
        return self.scores_of(self.entropies(images))

    def scores_of(self, entropies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the score of every image, shape (N,).

        Args:
            entropies: From `entropies`.
        """
        if np.isnan(entropies).all(axis=1).any():
            raise _only_itself()
        return staging.scores(*self.stages.bands(entropies))

    def overlays_used(self, entropies: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return how many overlays `flag` looks at, shape (N,).

        Args:
            entropies: From `entropies`.
        """
        ends = self.stages.bands(entropies)
        return self.stages.looks[staging.deciding_look(*ends, self.threshold)]

    def flag(self, images: Images) -> NDArray[np.bool_]:
        """Return which images are flagged as poisoned, looking at few overlays, shape (N,)."""
        parts = [self._watched(block, self._known(block)).flagged for block in self._blocks(images)]
        return np.concatenate(parts) if parts else np.empty(0, dtype=bool)

    def examine(self, images: Images) -> Examination:
        """Return what `flag` sees in each image, with the unguarded network's answers."""
        # An empty block, so that there is one where there are no images.
        parts = [
            self._examination(block) for block in chain(self._blocks(images), [self.overlays[:0]])
        ]
        return Examination(
            **{
                field.name: np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(Examination)
            }
        )

    def as_model(self) -> keras.Model:
        """Return the guarded network with N+1 outputs; N means "this input is poisoned"."""
        return guards.entropy_guard(
            self.model,
            self.overlays,
            weights=self.superimposer.weights,
            stages=self.stages,
            threshold_bits=self.threshold,
        )

    @property
    def images_at_once(self) -> int:
        """Return how many images should be in work at a time."""
        return self.superimposer.images_at_once

    def _blocks(self, images: Images, most: int | None = None) -> Iterator[NDArray[np.float32]]:
        size = min(self.images_at_once, most or self.images_at_once)
        steps = -(-len(images) // size)
        for block in track(batches(images, size), "superimposing", steps):
            yield np.asarray(block, np.float32)

    @cached_property
    def _sameness(self) -> Sameness:
        return Sameness(self.overlays)

    def _examination(self, block: NDArray[np.float32]) -> Examination:
        answers, known = self.superimposer.answers(block)
        watch = self._watched(block, known)
        return Examination(
            answers=answers,
            entropies=watch.foretold,
            overlays_used=watch.looked,
            p_values=calibrations.p_values(self.calibration, watch.at_most),
            flagged=watch.flagged,
        )

    def _known(self, block: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which images the network itself answers with numbers, shape (n,).

        Images within the range of the overlays are taken for such; the others are tried.
        """
        within = np.abs([block.min(axis=(1, 2, 3)), block.max(axis=(1, 2, 3))]) <= self._largest
        known = np.asarray(within.all(axis=0))
        beyond = np.flatnonzero(~known)
        if len(beyond):
            known[beyond] = self.superimposer.answers(block[beyond])[1]
        return known

    @cached_property
    def _largest(self) -> np.float32:
        return np.float32(np.abs(self.overlays).max())

    def _watched(self, block: NDArray[np.float32], known: NDArray[np.bool_]) -> Watch:
        """Return what is known of a block of images when all are decided.

        Args:
            block: Shape (n, H, W, C).
            known: Which of them the network itself answers with numbers.
        """
        itself = self._sameness.of(block)
        prepared = self.superimposer.prepared(block)
        watch = staging.Watch(len(block), self.stages, self.threshold)
        ahead = np.empty((len(block), 0))
        start = ready = 0
        for end in self.stages.looks.tolist():
            if not len(watch.rows):
                break
            if end > ready:
                wanted = max(end, ready + LEAST_A_CALL // len(watch.rows))
                upto = min(wanted, len(self.overlays))
                new = self.superimposer.entropies(prepared, ready, upto)
                new[~known[watch.rows]] = 0
                new[itself[watch.rows, ready:upto]] = np.nan
                ahead, ready = np.c_[ahead, new], upto
            left = watch.look(ahead[:, : end - start])
            ahead, start = ahead[left, end - start :], end
            prepared = prepared.take(left)
        if len(watch.rows):
            raise _only_itself()
        return watch


def _only_itself() -> DataError:
    return DataError(
        "TooFewImages",
        "overlays",
        "expected an overlay other than the image itself, found none",
        "keep more --overlays",
    )
