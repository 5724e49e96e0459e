"""What a defence has made of a network, and how it is measured and told."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair import records
from badrepair.evaluation import against, evaluate, evaluate_detector

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from badrepair.types import Dataset, DetectionReport, FittedDetector, RepairResult, Report

# Of what a defence chose, what is longer as text is no part of a line.
LONGEST_CHOICE = 400


@dataclass(frozen=True, kw_only=True)
class Untouched:
    """The network as it is."""

    def to_json(self) -> dict[str, Any]:
        """Return what a line says of the defence itself."""
        return _told({}, None)

    def measured(
        self, model: keras.Model, test: Dataset, poisoned: tuple[Dataset, ...]
    ) -> dict[str, Any]:
        """Return how the network answers before and after."""
        before = evaluate(model, test, poisoned)
        return _repair_json(before, against(before, before))


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """A network that a defence has mended."""

    result: RepairResult

    def to_json(self) -> dict[str, Any]:
        """Return what a line says of the defence itself."""
        return _told(self.result.choices, digest(*self.result.model.get_weights()))

    def measured(
        self, model: keras.Model, test: Dataset, poisoned: tuple[Dataset, ...]
    ) -> dict[str, Any]:
        """Return how the network answers before and after."""
        before = evaluate(model, test, poisoned)
        after = evaluate(self.result.model, test, poisoned, baseline=before, classes=before.classes)
        return _repair_json(before, after)


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """A network with a detector before it."""

    detector: FittedDetector
    clean: Dataset

    def to_json(self) -> dict[str, Any]:
        """Return what a line says of the defence itself."""
        scores = self.detector.score(self.clean.images)
        return _told(self.detector.choices, digest(np.array(self.detector.threshold), scores))

    def measured(
        self, model: keras.Model, test: Dataset, poisoned: tuple[Dataset, ...]
    ) -> dict[str, Any]:
        """Return how the network answers before and after."""
        report = evaluate_detector(self.detector, model, test, poisoned)
        made = _repair_json(report.before, report.guarded)
        return {**made, "detection": _detection_json(report)}


def _told(choices: Mapping[str, Any], fingerprint: str | None) -> dict[str, Any]:
    """Return what was chosen, as far as it is short, and the digest of what was made."""
    plain: dict[str, Any] = records.to_json(choices)
    short = {
        name: value for name, value in plain.items() if len(json.dumps(value)) <= LONGEST_CHOICE
    }
    return {"choices": short, "fingerprint": fingerprint}


def _repair_json(before: Report, after: Report) -> dict[str, Any]:
    """Return the answers of both networks as a line has them."""
    of_clean = after.clean
    return {
        "before": {
            "accuracy": _plain(before.clean and before.clean.accuracy),
            "attacks": [_attack_json(row, _BEFORE) for row in before.attacks],
        },
        "after": {
            "accuracy": _plain(of_clean and of_clean.accuracy),
            "false_rejection_rate": _plain(of_clean and of_clean.false_rejection_rate),
            "attacks": [_attack_json(row, (*_BEFORE, *_AFTER)) for row in after.attacks],
        },
        "detection": None,
    }


_BEFORE = ("name", "attack_success_rate", "recovered_accuracy")
_AFTER = ("detection_rate", "defense_effectiveness")
_SEEN = (
    "name",
    "auroc",
    "true_positive_rate_at_1",
    "true_positive_rate_at_5",
    "false_acceptance_rate",
)


def _detection_json(report: DetectionReport) -> dict[str, Any]:
    return {
        "false_rejection_rate": _plain(report.false_rejection_rate),
        "attacks": [_attack_json(row, _SEEN) for row in report.rows],
    }


def _attack_json(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    """Return a rate or an estimate as plain values; a text and None stay what they are."""
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


def digest(*arrays: Any) -> str:
    """Return the SHA-256 of arrays, their types and shapes."""
    found = hashlib.sha256()
    for array in map(np.asarray, arrays):
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
