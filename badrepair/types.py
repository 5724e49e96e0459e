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
        false_acceptance_rate: Share of the poisoned images that were not flagged.
        false_acceptance_rate_of_successful: The same among images that fool the unguarded model;
            None where no attack succeeds.
        auroc: Chance that a poisoned image looks more suspicious than a clean one.
    """

    name: str
    false_acceptance_rate: Rate
    false_acceptance_rate_of_successful: Rate | None
    auroc: float | None


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
class DetectionReport:
    """What was measured of one detector.

    Args:
        false_rejection_rate: Share of clean test images flagged; they calibrated nothing.
        rows: One a poisoned set, empty where none was given.
        before: The unguarded model.
        guarded: The model that answers N where the detector flags.
        scores: Scores behind the rates: of the clean test images under "clean", and of each
            poisoned set under "poisoned" by name.
    """

    false_rejection_rate: Rate | None
    rows: tuple[DetectionRow, ...]
    before: Report
    guarded: Report
    scores: Mapping[str, Any] = field(default_factory=dict)


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
