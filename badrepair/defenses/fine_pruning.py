"""Fine-pruning: silence the channels that clean data leaves idle, then fine-tune.

Liu, Dolan-Gavitt and Garg, "Fine-Pruning: Defending Against Backdooring Attacks on Deep Neural
Networks", RAID 2018, arXiv:1805.12185.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair.errors import DataError, OptionError
from badrepair.models import inference
from badrepair.models.pruner import ChannelPruner
from badrepair.models.training import train
from badrepair.types import RepairResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    from numpy.typing import NDArray

    from badrepair.models.surgery import Mask
    from badrepair.types import Dataset

# Accuracies are multiples of 1/n: this only forgives what subtraction adds.
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class FinePruning:
    """Prune a convolution channel by channel until clean accuracy suffers, then fine-tune.

    Args:
        layer: Name of the layer to prune; the last convolution if None.
        max_drop: Clean accuracy that we agree to lose on held-out clean images, in [0, 1].
        epochs: Fine-tuning passes over the clean data; 0 prunes only.
        learning_rate: Adam's step in fine-tuning.
        tuning_batch: Images a fine-tuning step.
        held_out: Share of the clean data that only chooses the level and the epoch, in (0, 1).
        batch_size: Images a call where nothing is trained.
        seed: Fixes the held-out split and the fine-tuning order.
    """

    layer: str | None = None
    max_drop: float = 0.04
    epochs: int = 20
    learning_rate: float = 1e-3
    tuning_batch: int = 32
    held_out: float = 0.2
    batch_size: int = inference.BATCH
    seed: int = 0

    def __post_init__(self) -> None:
        _require(0 <= self.max_drop <= 1, "--max-drop", "in [0, 1]", self.max_drop)
        _require(self.epochs >= 0, "--epochs", "0 or more", self.epochs)
        _require(self.learning_rate > 0, "--learning-rate", "above 0", self.learning_rate)
        _require(self.tuning_batch >= 1, "--tuning-batch", "1 or more", self.tuning_batch)
        _require(0 < self.held_out < 1, "--held-out", "in (0, 1)", self.held_out)
        _require(self.batch_size >= 1, "--batch-size", "1 or more", self.batch_size)

    def repair(self, model: keras.Model, clean: Dataset) -> RepairResult:
        """Return a repaired copy; the model passed in is left untouched."""
        tuning, held_out = clean.split(1 - self.held_out, seed=self.seed)
        _require_images(clean, tuning, held_out)
        pruner = ChannelPruner(model, self.layer, batch_size=self.batch_size)
        order = pruner.idlest_first(tuning.images)
        accuracies = pruner.sweep(order, held_out)
        level = last_within(accuracies, self.max_drop)
        pruned, _ = pruner.apply(order[:level])
        tuned, masks = pruner.apply(order[:level])
        floor = max(0.0, accuracies[0] - self.max_drop)
        tuning_curve, epoch = self._fine_tune(tuned, masks, tuning, held_out, floor)
        return RepairResult(
            model=tuned,
            stages={"pruned": pruned, "fine-tuned": tuned} if self.epochs else {"pruned": pruned},
            curve=tuple(
                {"pruned": count, "accuracy": float(accuracy)}
                for count, accuracy in enumerate(accuracies)
            ),
            choices={
                "layer": pruner.site.layer.name,
                "channels": pruner.site.channels,
                "order": order.tolist(),
                "level": level,
                "max_drop": self.max_drop,
                "baseline_accuracy": float(accuracies[0]),
                "tuning_curve": tuning_curve,
                "epoch": epoch,
                "images": {"tuning": len(tuning), "held_out": len(held_out)},
                "why": _why(accuracies, level, self.max_drop, len(held_out)),
                "why_epoch": _why_epoch(tuning_curve, epoch, floor),
            },
        )

    def _fine_tune(
        self,
        model: keras.Model,
        masks: Sequence[Mask],
        tuning: Dataset,
        held_out: Dataset,
        floor: float,
    ) -> tuple[list[float], int]:
        """Train in place with the pruned channels held at zero, and keep the last good epoch.

        Returns:
            Held-out accuracy after every epoch, and the epoch that was kept: the last one that
            is not below `floor`, or 0, which is before fine-tuning.
        """
        accuracies: list[float] = []
        kept = (0, model.get_weights())

        def judge(epoch: int) -> None:
            nonlocal kept
            answers = inference.answers(
                model, held_out.images, batch_size=self.batch_size, label="held-out accuracy"
            )
            accuracies.append(float(np.mean(answers == held_out.labels)))
            if accuracies[-1] >= floor - ROUNDING:
                kept = (epoch, model.get_weights())

        train(
            model,
            tuning,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.tuning_batch,
            seed=self.seed,
            held_at_zero=masks,
            after_epoch=judge,
            label="fine-tuning",
        )
        epoch, weights = kept
        model.set_weights(weights)
        return accuracies, epoch


def _require_images(clean: Dataset, tuning: Dataset, held_out: Dataset) -> None:
    if not len(tuning) or not len(held_out):
        raise DataError(
            "TooFewImages",
            clean.name,
            f"expected clean images to tune on and others to choose with, found {len(tuning)}"
            f" and {len(held_out)}",
            "give more clean images, or another --held-out",
        )


def last_within(accuracies: NDArray[np.float64], max_drop: float) -> int:
    """Return the last level before clean accuracy first falls by more than `max_drop`.

    Args:
        accuracies: After pruning 0, 1, … channels, shape (C + 1,).
        max_drop: In [0, 1]. A fall of exactly that much still passes.
    """
    failing = np.flatnonzero(accuracies[0] - accuracies > max_drop + ROUNDING)
    return int(failing[0]) - 1 if len(failing) else len(accuracies) - 1


def _why(accuracies: NDArray[np.float64], level: int, max_drop: float, n: int) -> str:
    kept = f"{level} channels pruned leave {accuracies[level]:.2%} of {n} held-out clean images"
    if level == len(accuracies) - 1:
        return f"{kept} right, and no level costs more than {max_drop:.2%}"
    return (
        f"{kept} right, the next one {accuracies[level + 1]:.2%};"
        f" the budget is {max_drop:.2%} below {accuracies[0]:.2%}"
    )


def _why_epoch(accuracies: list[float], epoch: int, floor: float) -> str:
    if not accuracies:
        return "no fine-tuning was asked for"
    if epoch == 0:
        return (
            f"fine-tuning was undone: its best epoch has {max(accuracies):.2%} of the held-out"
            f" clean images right, below the budget's {floor:.2%}"
        )
    return (
        f"kept epoch {epoch} of {len(accuracies)}, the last with held-out clean accuracy within"
        f" the budget ({accuracies[epoch - 1]:.2%}, at least {floor:.2%})"
    )


def _require(holds: bool, option: str, expected: str, found: Any) -> None:
    if not holds:
        raise OptionError("OptionInvalid", option, f"expected a value {expected}, found {found}")
