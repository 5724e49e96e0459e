"""Train on some images while others, held out, say which epoch is the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from badrepair.errors import DataError, require_option
from badrepair.models import inference
from badrepair.models.augmentation import AUGMENTS, Augment
from badrepair.models.training import Trainer
from badrepair.models.tuning import fine_tune

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

    from badrepair.models.checkpoint import Checkpoint
    from badrepair.models.surgery import Mask
    from badrepair.models.tuning import Tuned
    from badrepair.types import Dataset


Schedule = Literal["constant", "cosine"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is trained.

    Args:
        epochs: Most passes over the images; 0 trains nothing.
        patience: Stop after so many epochs in a row below the best; 0 never does.
        learning_rate: Adam's step.
        tuning_batch: Images a step.
        augment: How images are varied: "none", "flip" or "shift".
        schedule: "constant" keeps Adam's step, "cosine" lets it fall to zero over all epochs.
    """

    epochs: int
    patience: int
    learning_rate: float
    tuning_batch: int
    augment: Augment = "none"
    schedule: Schedule = "constant"

    def __post_init__(self) -> None:
        require_option("--epochs", self.epochs >= 0, "a value 0 or more", self.epochs)
        require_option("--patience", self.patience >= 0, "a value 0 or more", self.patience)
        finite = 0 < self.learning_rate < np.inf
        require_option("--learning-rate", finite, "a value above 0", self.learning_rate)
        require_option(
            "--tuning-batch", self.tuning_batch >= 1, "a value 1 or more", self.tuning_batch
        )
        known = f"a value of {', '.join(AUGMENTS)}"
        require_option("--augment", self.augment in AUGMENTS, known, self.augment)
        known = f"a value of {', '.join(SCHEDULES)}"
        require_option("--schedule", self.schedule in SCHEDULES, known, self.schedule)


def held_out_of(clean: Dataset, share: float, *, seed: int) -> tuple[Dataset, Dataset]:
    """Return the images to train on, and those that are held out to choose with.

    Args:
        clean: All of them; every class keeps its share in both parts.
        share: Of the images that are held out, in (0, 1).
        seed: Fixes which.

    Raises:
        DataError: TooFewImages, if one of the two is empty.
    """
    tuning, held_out = clean.split(1 - share, seed=seed)
    if len(tuning) and len(held_out):
        return tuning, held_out
    raise DataError(
        "TooFewImages",
        clean.name,
        f"expected clean images to tune on and others to choose with, found {len(tuning)}"
        f" and {len(held_out)}",
        "give more clean images, or another --held-out",
    )


def train_judged(
    model: keras.Model,
    tuning: Dataset,
    held_out: Dataset,
    training: Training,
    *,
    seed: int,
    floor: float = 0.0,
    held_at_zero: Sequence[Mask] = (),
    checkpoint: Checkpoint | None = None,
    batch_size: int = inference.BATCH,
    label: str = "fine-tuning",
) -> Tuned:
    """Train a network in place and leave it with the weights of its best epoch.

    Args:
        model: Changed in place.
        tuning: Images to train on.
        held_out: Images that choose the epoch.
        training: How.
        seed: Fixes the order of the images, augmentation and dropout.
        floor: Accuracy on `held_out` below which no epoch is kept, in [0, 1].
        held_at_zero: Variables with masks; a weight stays zero where its mask is.
        checkpoint: Where the run notes how far it is, and goes on from.
        batch_size: Images a call where nothing is trained.
        label: What the progress bar says.

    Raises:
        ModelError: If every layer of the network is frozen.
    """
    answers = inference.answering(
        model, held_out.images, batch_size=batch_size, label="held-out accuracy"
    )

    def judge() -> float:
        return float(np.mean(answers() == held_out.labels))

    trainer = Trainer(
        model,
        tuning,
        learning_rate=training.learning_rate,
        batch_size=training.tuning_batch,
        seed=seed,
        held_at_zero=held_at_zero,
        augment=training.augment,
        decay_over=training.epochs if training.schedule == "cosine" else None,
    )
    return fine_tune(
        trainer,
        judge,
        epochs=training.epochs,
        floor=floor,
        patience=training.patience,
        checkpoint=checkpoint,
        label=label,
    )
