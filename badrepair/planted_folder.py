"""The folder of a network with its backdoor: the files, and the card that tells the truth."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair import exhibits, plots, records
from badrepair.data import hdf5
from badrepair.models.save import model_bytes
from badrepair.planted_names import CARD, CLEAN, MODEL, PAIRS, POISONED, TEST, poisoned_names
from badrepair.planting import files_of
from badrepair.poisoning.backdoor import SPARED

if TYPE_CHECKING:
    from badrepair.planting import Planted
    from badrepair.poisoning import Trigger

SCHEMA = 1
Contents = dict[Path, Callable[[Path], object] | bytes]


@dataclass(frozen=True)
class PoisonedFile:
    """A trigger's name and the file with the poisoned test images."""

    trigger: str
    path: Path


def contents(planted: Planted, folder: Path) -> tuple[dict[str, Any], Contents]:
    """Return the card, and what to write where: `writing.write_together` takes it."""
    model = model_bytes(planted.model, folder / MODEL)
    truth = card(planted, model)
    data = {CLEAN: planted.clean, TEST: planted.test}
    names = poisoned_names([dataset.name for dataset in planted.poisoned])
    data |= dict(zip(names, planted.poisoned, strict=True))
    files: Contents = {folder / MODEL: model}
    files |= {folder / name: partial(hdf5.write, dataset) for name, dataset in data.items()}
    if planted.poisoned:
        files[folder / PAIRS] = plots.render(plots.draw("pairs", truth), "png")
    files[folder / CARD] = records.record_bytes(truth)
    return truth, files


def card(planted: Planted, model: bytes) -> dict[str, Any]:
    """Return the ground truth: what was planted, with which recipe, and how well it works.

    Args:
        planted: The network and its backdoor.
        model: Content of the network's file.
    """
    backdoor, triggers = planted.backdoor, planted.backdoor.triggers
    measured = records.report_json([_evaluated(planted, model)])["models"][0]
    return {
        "schema": SCHEMA,
        "recipe": planted.recipe.to_json(),
        "inputs": [records.identity(path) for path in files_of(planted.recipe)],
        "classes": planted.report.classes,
        "images": {
            "training": len(backdoor.training),
            "poisoned": len(backdoor.poisoned),
            "poison_rate": len(backdoor.poisoned) / len(backdoor.training),
            "cover": len(backdoor.covers),
            "clean": len(planted.clean),
            "test": len(planted.test),
        },
        "triggers": [
            {"name": trigger.name, "file": file, "target_of_class": _targets(trigger)}
            for trigger, file in zip(
                triggers, poisoned_names([one.name for one in triggers]), strict=True
            )
        ],
        "measured": measured,
        "training": {
            "validation_accuracies": list(planted.tuned.accuracies),
            "epoch": planted.tuned.epoch,
            "stopped_early": planted.tuned.stopped_early,
        },
        "versions": records.versions(),
        "figures": {"pairs": exhibits.pairs(triggers, planted.test)},
    }


def poisoned_files(card: dict[str, Any], folder: Path) -> list[PoisonedFile]:
    """Return the poisoned test files that a card names."""
    return [PoisonedFile(each["name"], folder / each["file"]) for each in card["triggers"]]


def left_behind(folder: Path, files: Contents) -> list[Path]:
    """Return what an earlier attack has left in a folder and this one does not write.

    Args:
        folder: Its files were written by `contents` before.
        files: What is written now.
    """
    ours = (
        path for path in folder.iterdir() if POISONED.fullmatch(path.name) or path.name == PAIRS
    )
    return [path for path in ours if path not in files and path.is_file()]


def _targets(trigger: Trigger) -> list[int | None]:
    """Return the target of every class, None where the attacker leaves the class alone."""
    return [None if target == SPARED else int(target) for target in np.asarray(trigger.aim)]


def _evaluated(planted: Planted, model: bytes) -> records.EvaluatedModel:
    digest = hashlib.sha256(model).hexdigest()
    return records.EvaluatedModel("model", MODEL, digest, planted.report)
