"""Fine-tune a pruned network, keep its best epoch, stop when it gains no more, and resume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from badrepair.budgets import ROUNDING
from badrepair.models.checkpoint import TuningState
from badrepair.words import counted, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import keras

    from badrepair.models.checkpoint import Checkpoint
    from badrepair.models.surgery import Mask
    from badrepair.models.training import Trainer
    from badrepair.views import Array


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What fine-tuning came to.

    Args:
        accuracies: Held-out clean accuracy after every epoch that was run, each in [0, 1].
        epoch: The epoch whose weights were kept; 0 for those from before.
        stopped_early: Whether epochs were left when it stopped.
        broke_down: Whether the epoch after these left weights that are no numbers; it is not kept.
    """

    accuracies: tuple[float, ...]
    epoch: int
    stopped_early: bool
    broke_down: bool = False

    def why(self, floor: float, what: str = "fine-tuning") -> str:
        """Return the choice in one sentence.

        Args:
            floor: Accuracy below which no epoch was kept, in [0, 1].
            what: What the training was for.
        """
        if self.broke_down:
            return self._why_broken(what)
        if not self.accuracies:
            return f"no {what} was asked for"
        if self.epoch == 0:
            return (
                f"{what} was undone: its best epoch has {percent(max(self.accuracies))} of the"
                f" held-out clean images right, below the budget's {percent(floor)}; a smaller"
                " --learning-rate may help"
            )
        early = ", where it gained no more," if self.stopped_early else ""
        return (
            f"{what} ended after {counted(len(self.accuracies), 'epoch')}{early} and kept"
            f" epoch {self.epoch}: the best on the held-out clean images,"
            f" {percent(self.accuracies[self.epoch - 1])} right"
        )

    def _why_broken(self, what: str) -> str:
        kept = "none before it was within the budget: it was undone"
        if self.epoch:
            found = percent(self.accuracies[self.epoch - 1])
            kept = f"epoch {self.epoch} was kept, {found} of the held-out clean images right"
        elif not self.accuracies:
            kept = "it was undone"
        return (
            f"{what} diverged: epoch {len(self.accuracies) + 1} left weights that are no"
            f" numbers, and {kept}; a smaller --learning-rate may help"
        )


def fine_tune(
    trainer: Trainer,
    judge: Callable[[], float],
    *,
    epochs: int,
    floor: float,
    patience: int = 0,
    checkpoint: Checkpoint | None = None,
    label: str = "fine-tuning",
) -> Tuned:
    """Train the trainer's network in place and leave it with the weights of its best epoch.

    Args:
        trainer: Holds the network, the clean images, and what is held at zero.
        judge: Returns the network's accuracy on held-out clean images, in [0, 1].
        epochs: The most passes over the data.
        floor: Accuracy below which no epoch is kept, in [0, 1].
        patience: Stop after so many epochs in a row below the best; 0 never stops early.
        checkpoint: Where to take up an interrupted run, and to write how far this one is. It is
            not removed at the end: `clear` it once the result is safe.
        label: What the progress bar says.

    Raises:
        ModelError: If every layer of the network is frozen.
        DataError: If the checkpoint is of another run, or damaged.
    """
    start = _resumed(trainer, checkpoint)
    accuracies, best = list(start.accuracies), start.best_weights
    broke_down = False

    def after_epoch(epoch: int) -> bool:
        nonlocal best, broke_down
        if broke_down := not _is_finite(trainer.model):
            return True  # no later epoch would mend that
        accuracies.append(float(judge()))
        if kept_epoch(accuracies, floor) == epoch:
            best = trainer.model.get_weights()
        if checkpoint is not None and checkpoint.due():
            checkpoint.save(_state(trainer, accuracies, best))
        return is_out_of_patience(accuracies, patience)

    if not is_out_of_patience(accuracies, patience):
        trainer.run(range(len(accuracies) + 1, epochs + 1), after_epoch, label)
    trainer.model.set_weights(best)
    if loose := _not_zero(trainer.held_at_zero):
        raise RuntimeError(f"pruned weights of {loose} are not exactly zero")
    return Tuned(
        accuracies=tuple(accuracies),
        epoch=kept_epoch(accuracies, floor),
        stopped_early=len(accuracies) < epochs,
        broke_down=broke_down,
    )


def kept_epoch(accuracies: Sequence[float], floor: float) -> int:
    """Return the epoch of the highest accuracy, the latest of equals; 0 if none reaches `floor`."""
    best = max(accuracies, default=0.0)
    return _latest(accuracies, best) if best >= floor - ROUNDING else 0


def is_out_of_patience(accuracies: Sequence[float], patience: int) -> bool:
    """Return whether the last `patience` epochs were each below the best before them."""
    if not patience or not accuracies:
        return False
    return len(accuracies) - _latest(accuracies, max(accuracies)) >= patience


def _latest(accuracies: Sequence[float], wanted: float) -> int:
    """Return the last epoch of an accuracy, counted from 1; 0 where there is none."""
    return max((e for e, found in enumerate(accuracies, 1) if found == wanted), default=0)


def _resumed(trainer: Trainer, checkpoint: Checkpoint | None) -> TuningState:
    """Put the trainer where the checkpoint left it; without one it stays at the beginning."""
    start = _state(trainer, [], trainer.model.get_weights())
    stored = None if checkpoint is None else checkpoint.load(start)
    if checkpoint is None or stored is None:
        return start
    for weights in (stored.best_weights, stored.weights):
        trainer.model.set_weights(weights)
        if loose := _not_zero(trainer.held_at_zero):
            trainer.model.set_weights(start.weights)
            raise checkpoint.invalid(f"pruned weights of {loose} that are not zero")
    trainer.restore(stored.optimizer)
    return stored


def _state(trainer: Trainer, accuracies: Sequence[float], best: list[Array]) -> TuningState:
    return TuningState(
        accuracies=tuple(accuracies),
        weights=trainer.model.get_weights(),
        optimizer=trainer.state(),
        best_weights=best,
    )


def _is_finite(model: keras.Model) -> bool:
    return all(np.isfinite(np.asarray(weights, np.float32)).all() for weights in model.weights)


def _not_zero(held_at_zero: Sequence[Mask]) -> str:
    """Return the names of variables that are not exactly zero where they must be."""
    return ", ".join(
        variable.path for variable, mask in held_at_zero if np.any(variable.numpy()[mask == 0] != 0)
    )
