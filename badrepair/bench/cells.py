"""What a worker of the bench does: make a network with its backdoor, and defend and measure it.

A defence is made from the network and the defender's clean images. Only then are the test and the
poisoned files opened, and nothing that they hold goes back into the defence.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair import planted_folder, records, registry, writing
from badrepair.evaluation import against, evaluate, evaluate_detector
from badrepair.models.load import load_model
from badrepair.opening import in_range, stored_data
from badrepair.planted_names import CARD, CLEAN, MODEL, TEST
from badrepair.planting import Recipe, plant
from badrepair.starting import start_tensorflow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import keras

    from badrepair.types import (
        Dataset,
        DetectionReport,
        FittedDetector,
        RepairResult,
        Report,
    )

# Of what a defence chose, what is long or about the machine is no part of a result.
LONGEST_CHOICE = 400


def start() -> None:
    """Get a worker ready."""
    start_tensorflow()


def make_net(recipe: Mapping[str, Any], folder: Path) -> None:
    """Put the network of a recipe, its data and its card into a folder.

    Args:
        recipe: What `Recipe.to_json` returned.
        folder: Is there, and empty.
    """
    _, files = planted_folder.contents(plant(Recipe.from_json(recipe)), folder)
    writing.write_together(files, overwrite=False)


def measure(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return what a defence makes of a network, as the plain values of a line.

    Args:
        job: `defense`: its `method`, `settings` and `source`; and the `seed`.
        folder: What `make_net` made.
    """
    model = load_model(folder / MODEL)
    made = _defended(job, model, _data(folder / CLEAN, model))
    return {**made.to_json(), **made.measured(model, *_test_data(folder, model))}


@dataclass(frozen=True, kw_only=True)
class _Untouched:
    """The network as it is."""

    kind = "none"

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "choices": {}, "fingerprint": None}

    def measured(
        self, model: keras.Model, test: Dataset, poisoned: tuple[Dataset, ...]
    ) -> dict[str, Any]:
        before = evaluate(model, test, poisoned)
        return _repair_json(before, against(before, before))


@dataclass(frozen=True, kw_only=True)
class _Repaired:
    """A network that a defence has mended."""

    result: RepairResult
    kind = "repair"

    def to_json(self) -> dict[str, Any]:
        digest = _digest(*self.result.model.get_weights())
        return {"kind": self.kind, "choices": _short(self.result.choices), "fingerprint": digest}

    def measured(
        self, model: keras.Model, test: Dataset, poisoned: tuple[Dataset, ...]
    ) -> dict[str, Any]:
        before = evaluate(model, test, poisoned)
        return _repair_json(before, evaluate(self.result.model, test, poisoned, baseline=before))


@dataclass(frozen=True, kw_only=True)
class _Guarded:
    """A network with a detector before it."""

    detector: FittedDetector
    clean: Dataset
    kind = "detector"

    def to_json(self) -> dict[str, Any]:
        scores = self.detector.score(self.clean.images)
        digest = _digest(np.array(self.detector.threshold), scores)
        return {"kind": self.kind, "choices": _short(self.detector.choices), "fingerprint": digest}

    def measured(
        self, model: keras.Model, test: Dataset, poisoned: tuple[Dataset, ...]
    ) -> dict[str, Any]:
        report = evaluate_detector(self.detector, model, test, poisoned)
        made = _repair_json(report.before, report.guarded)
        return {**made, "detection": _detection_json(report)}


def _defended(
    job: Mapping[str, Any], model: keras.Model, clean: Dataset
) -> _Untouched | _Repaired | _Guarded:
    """Return what the defence makes, from the network and clean images alone."""
    defense = job["defense"]
    if defense["method"] == "none":
        return _Untouched()
    plug_in = registry.load("defenses", defense["method"], defense["source"])
    seeded = {**defense["settings"], "seed": job["seed"]}
    made = registry.make("defenses", defense["method"], seeded, defense["source"])
    if hasattr(plug_in, "repair"):
        return _Repaired(result=made.repair(model, clean))
    return _Guarded(detector=made.fit(model, clean), clean=clean)


def _test_data(folder: Path, model: keras.Model) -> tuple[Dataset, tuple[Dataset, ...]]:
    """Return the clean test images, and those of every trigger."""
    card = records.read_record(folder / CARD)
    poisoned = tuple(
        _data(file.path, model, name=file.trigger)
        for file in planted_folder.poisoned_files(card, folder)
    )
    return _data(folder / TEST, model), poisoned


def _data(path: Path, model: keras.Model, name: str | None = None) -> Dataset:
    """Return a file of images in 0..255, in memory and in 0..1."""
    stored = in_range(stored_data(path, model, name=name), "0-1")
    return replace(stored, images=np.asarray(stored.images[:], np.float32))


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


def _short(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a defence's choices fits into a line."""
    plain: dict[str, Any] = records.to_json(choices)
    return {name: value for name, value in plain.items() if _is_short(value)}


def _is_short(value: Any) -> bool:
    return len(json.dumps(value)) <= LONGEST_CHOICE


def _digest(*arrays: Any) -> str:
    """Return the SHA-256 of arrays, their types and shapes."""
    digest = hashlib.sha256()
    for array in map(np.asarray, arrays):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
