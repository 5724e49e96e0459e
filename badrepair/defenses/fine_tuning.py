"""Fine-tuning alone: train on clean images and prune nothing.

Liu, Dolan-Gavitt and Garg, "Fine-Pruning: Defending Against Backdooring Attacks on Deep Neural
Networks", RAID 2018, arXiv:1805.12185, compare their defence with it. It is the control that a
repair must be better than.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from badrepair.errors import require_option
from badrepair.models import inference
from badrepair.models.augmentation import Augment
from badrepair.models.judged import Training, held_out_of, train_judged
from badrepair.models.surgery import copy_model
from badrepair.types import Dataset, RepairResult

if TYPE_CHECKING:
    import keras


ABOUT = {
    "needs": "some hundred clean images",
    "good at": "nothing much: the control",
    "defeated by": "most backdoors survive it",
    "minutes": "0.1",
}


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """Train on the clean images, and keep the epoch that is best on those held out.

    Args:
        max_drop: Clean accuracy that we agree to lose on held-out clean images, in [0, 1].
        epochs: Most passes over the clean data.
        patience: Stop after so many epochs in a row below the best; 0 never does.
        learning_rate: Adam's step.
        tuning_batch: Images a step.
        augment: How images are varied: "none", "flip" or "shift".
        held_out: Share of the clean data that only chooses the epoch, in (0, 1).
        batch_size: Images a call where nothing is trained.
        seed: Fixes the held-out split and the order of the images.
    """

    max_drop: float = 0.04
    epochs: int = 20
    patience: int = 5
    learning_rate: float = 1e-3
    tuning_batch: int = 32
    augment: Augment = "none"
    held_out: float = 0.2
    batch_size: int = inference.BATCH
    seed: int = 0

    def __post_init__(self) -> None:
        self._training()  # which checks its settings
        require_option("--max-drop", 0 <= self.max_drop <= 1, "a value in [0, 1]", self.max_drop)
        require_option("--held-out", 0 < self.held_out < 1, "a value in (0, 1)", self.held_out)
        require_option("--batch-size", self.batch_size >= 1, "a value 1 or more", self.batch_size)

    def _training(self) -> Training:
        return Training(
            epochs=self.epochs,
            patience=self.patience,
            learning_rate=self.learning_rate,
            tuning_batch=self.tuning_batch,
            augment=self.augment,
        )

    def repair(self, model: keras.Model, clean: Dataset) -> RepairResult:
        """Return a repaired copy; the model passed in is left untouched."""
        tuning, held_out = held_out_of(clean, self.held_out, seed=self.seed)
        tuned = copy_model(model)
        answers = inference.answers(tuned, held_out.images, batch_size=self.batch_size)
        before = float(np.mean(answers == held_out.labels))
        floor = max(0.0, before - self.max_drop)
        result = train_judged(
            tuned,
            tuning,
            held_out,
            self._training(),
            seed=self.seed,
            floor=floor,
            batch_size=self.batch_size,
        )
        return RepairResult(
            model=tuned,
            stages={"fine-tuned": tuned},
            choices={
                "max_drop": self.max_drop,
                "baseline_accuracy": before,
                "tuning_curve": list(result.accuracies),
                "epoch": result.epoch,
                "images": {"tuning": len(tuning), "held_out": len(held_out)},
                "why_epoch": result.why(floor),
            },
        )
