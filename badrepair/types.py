"""The words that all parts of badrepair share. NumPy only: nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from badrepair.views import Images, Selected

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

Labels = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled images, as the model takes them.

    Args:
        images: Array-like (N, H, W, C), read by slices; values in the range the model takes.
        labels: Class of every image, shape (N,). In a poisoned set, the attacker's target.
        true_labels: In a poisoned set, what the images really show, shape (N,); None if unknown.
        name: What to call it in tables.
    """

    images: Images
    labels: Labels
    true_labels: Labels | None = None
    name: str = "data"

    def __post_init__(self) -> None:
        lengths = {len(self.images), len(self.labels)}
        if self.true_labels is not None:
            lengths.add(len(self.true_labels))
        if len(lengths) > 1:
            raise ValueError(f"{self.name}: images and labels differ in number: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Labels) -> Dataset:
        """Return the rows at `indices`, in that order, without reading them."""
        true = None if self.true_labels is None else self.true_labels[indices]
        images = Selected(self.images, np.asarray(indices, dtype=np.int64))
        return replace(self, images=images, labels=self.labels[indices], true_labels=true)

    def split(self, fraction: float, *, seed: int) -> tuple[Dataset, Dataset]:
        """Return two disjoint random parts; the first holds `fraction` of the rows.

        Every class keeps its share in both parts as far as its number of images allows.
        """
        first = stratified_order(self.labels, seed)[: round(fraction * len(self))]
        rest = np.setdiff1d(np.arange(len(self)), first)
        return self.take(np.sort(first)), self.take(rest)


def stratified_order(labels: Labels, seed: int) -> Labels:
    """Return a random order of the rows in which every prefix holds all classes in proportion.

    The k-th of a class's n images stands at about (k - 1/2) / n of the order, as in
    systematic sampling, so that a prefix of a share s holds about s*n of them.
    """
    random = np.random.default_rng(seed)
    position = np.empty(len(labels))
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        position[rows] = (np.arange(len(rows)) + random.random()) / len(rows)
    return np.argsort(position, kind="stable")


@dataclass(frozen=True)
class Rate:
    """A share of n cases with its 95 % interval.

    Args:
        value: hits / n, in [0, 1].
        n: Number of cases.
        low: Lower end of the interval, in [0, 1].
        high: Upper end of the interval, in [0, 1].
    """

    value: float
    n: int
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A number that is no share of cases, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class CleanRow:
    """How a model answers clean images.

    Args:
        accuracy: Share answered with the true label; a clean image answered N is wrong.
        false_rejection_rate: Share answered N; None for a model without the class N.
    """

    accuracy: Rate
    false_rejection_rate: Rate | None


@dataclass(frozen=True, kw_only=True)
class AttackRow:
    """How a model answers one poisoned set.

    Args:
        name: The trigger's name.
        attack_success_rate: Share answered with the attacker's target.
        detection_rate: Share answered N; None for a model without the class N.
        recovered_accuracy: Share answered with the true label; None where that is unknown.
        defense_effectiveness: DER against the baseline, in [0, 1]; None without a baseline.
    """

    name: str
    attack_success_rate: Rate
    detection_rate: Rate | None
    recovered_accuracy: Rate | None
    defense_effectiveness: float | None = None


@dataclass(frozen=True, kw_only=True)
class DetectionRow:
    """How well a detector sees one poisoned set.

    Args:
        name: The trigger's name.
        detector: The detector's name.
        false_rejection_rate: Share of clean test images that it flags; None without any.
        false_acceptance_rate: Share of the poisoned images that were not flagged.
        false_acceptance_rate_of_successful: The same among images that fool the unguarded model;
            None where no attack succeeds.
        true_positive_rate_at_1: Share of the poisoned images that a threshold would catch which
            flags 1 % of the clean test images; it was chosen on these, only to compare detectors.
        true_positive_rate_at_5: The same at 5 %.
        auroc: Chance that a poisoned image looks more suspicious than a clean one.
    """

    name: str
    detector: str
    false_rejection_rate: Rate | None
    false_acceptance_rate: Rate
    false_acceptance_rate_of_successful: Rate | None
    true_positive_rate_at_1: Rate | None
    true_positive_rate_at_5: Rate | None
    auroc: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was measured of one model.

    Args:
        classes: Number of classes of the problem, N; a guarded model has the output N beside.
        clean: None where no clean data was given.
        attacks: One row a poisoned set, empty where none was given: not measured, not zero.
    """

    classes: int
    clean: CleanRow | None
    attacks: tuple[AttackRow, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What a detector that superimposes images saw in each input.

    Args:
        answers: Class that the unguarded network answers, shape (N,).
        entropies: Mean entropy over all overlays in bits, shape (N,); foretold where the decision
            came before all were looked at.
        overlays_used: How many overlays were looked at until the decision was certain, shape (N,).
        p_values: Chance that a clean image looks as suspicious or more, in (0, 1], shape (N,);
            where the decision came early, an upper bound of it.
        flagged: Whether the input is taken for poisoned, shape (N,).
    """

    answers: Labels
    entropies: NDArray[np.float64]
    overlays_used: NDArray[np.int64]
    p_values: NDArray[np.float64]
    flagged: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class DetectionReport:
    """What was measured of one detector, and of another one that it should be better than.

    Args:
        false_rejection_rates: By detector, the one under test first: share of clean test images
            flagged; they calibrated nothing. None where there are none.
        rows: For each poisoned set one a detector, empty where none was given.
        before: The unguarded model.
        guarded: The model that answers N where the detector under test flags.
        scores: Scores behind the rates: of the clean test images under "clean", and of each
            poisoned set under "poisoned" by name.
        floor_scores: The same of the other detector, empty where there is none.
    """

    false_rejection_rates: Mapping[str, Rate | None]
    rows: tuple[DetectionRow, ...]
    before: Report
    guarded: Report
    scores: Mapping[str, Any] = field(default_factory=dict)
    floor_scores: Mapping[str, Any] = field(default_factory=dict)

    @property
    def detector(self) -> str:
        """Return the name of the detector under test."""
        return next(iter(self.false_rejection_rates))

    @property
    def false_rejection_rate(self) -> Rate | None:
        """Return the share of clean test images that the detector under test flags."""
        return self.false_rejection_rates[self.detector]


@dataclass(frozen=True, kw_only=True)
class RepairResult:
    """What a repair gives back.

    Args:
        model: The repaired network; the one passed in is untouched.
        stages: Named networks on the way, in order, the repaired one last.
        curve: What clean accuracy did step by step on the held-out split, for plots.
        choices: What was chosen and why: plain values that go into the record.
    """

    model: keras.Model
    stages: Mapping[str, keras.Model] = field(default_factory=dict)
    curve: tuple[Mapping[str, float], ...] = ()
    choices: Mapping[str, Any] = field(default_factory=dict)


class Repair(Protocol):
    """A defence that mends the network. It sees clean data only."""

    def repair(self, model: keras.Model, clean: Dataset) -> RepairResult:
        """Return a repaired copy; the model passed in is left untouched."""


class FittedDetector(Protocol):
    """A detector that has learnt its threshold from clean data."""

    @property
    def name(self) -> str:
        """Return what to call it in tables, such as "STRIP"."""

    @property
    def threshold(self) -> float:
        """Return the score below which an input is flagged."""

    @property
    def choices(self) -> Mapping[str, Any]:
        """Return what was chosen and why: plain values that go into the record."""

    def score(self, images: Images) -> NDArray[np.float64]:
        """Return one score an image, shape (N,); low is suspicious."""

    def flag(self, images: Images) -> NDArray[np.bool_]:
        """Return which images are flagged as poisoned, shape (N,)."""

    def as_model(self) -> keras.Model:
        """Return the guarded network with N+1 outputs; N means "this input is poisoned"."""


class Detector(Protocol):
    """A defence that watches the inputs. It sees clean data only."""

    def fit(self, model: keras.Model, clean: Dataset) -> FittedDetector:
        """Return a detector calibrated on clean data; the model is left untouched."""
