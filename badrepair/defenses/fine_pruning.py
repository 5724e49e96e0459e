"""Fine-pruning: silence the channels that clean data leaves idle, then fine-tune.

Liu, Dolan-Gavitt and Garg, "Fine-Pruning: Defending Against Backdooring Attacks on Deep Neural
Networks", RAID 2018, arXiv:1805.12185.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from badrepair import levels
from badrepair.errors import OptionError, require_option
from badrepair.models import inference, ranking
from badrepair.models.augmentation import Augment
from badrepair.models.judged import Training, held_out_of, train_judged
from badrepair.models.pruner import ChannelPruner
from badrepair.models.ranking import RANKS, Rank
from badrepair.models.sites import AUTO
from badrepair.types import Dataset, RepairResult
from badrepair.words import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

    from badrepair.levels import Curve
    from badrepair.models.checkpoint import Checkpoint
    from badrepair.models.surgery import Mask
    from badrepair.models.tuning import Tuned
    from badrepair.types import Labels

# Of several layers, whose channels are many, more than one may go at each level of the curve.
MOST_LEVELS = 256
# What the sentence on the level says besides.
_RANKED = {
    "activation": "",
    "lipschitz": "; ranked by the slope of the filters, without any image",
    "random": "; ranked at random, as a control",
    "contrast": "; chose with poisoned data: the ranking has seen images with the trigger",
}


ABOUT = {
    "needs": "some hundred clean images",
    "good at": "patches of which idle channels speak",
    "defeated by": "entangled triggers; networks without idle channels",
    "minutes": "0.1",
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What clean images showed of a network; how much is pruned follows from it.

    Args:
        pruner: Of the network before its repair.
        order: All channels in the order in which they go.
        tuning: Clean images that rank and tune.
        held_out: Clean images that choose how much to prune and which epoch to keep.
        curve: Accuracy on the held-out images by number of pruned channels.
    """

    pruner: ChannelPruner
    order: Labels
    tuning: Dataset
    held_out: Dataset
    curve: Curve


@dataclass(frozen=True, kw_only=True)
class FinePruning:
    """Prune channels one by one until clean accuracy suffers, then fine-tune.

    Args:
        layers: Names of the layers to prune; "auto" is the last convolution, "all" all of them.
        rank: Which channels go first: "activation", the idlest on clean images; "lipschitz",
            the steepest, without any image; "random"; "contrast", those that `poisoned`
            images excite.
        poisoned: Images with a trigger, one set a trigger; for `rank="contrast"` only.
        max_drop: Clean accuracy that we agree to lose on held-out clean images, in [0, 1].
        knee: Stop at the elbow of the curve, where that comes before `max_drop`.
        bisect: Look for the level by bisection instead of measuring the whole curve.
        epochs: Most fine-tuning passes over the clean data; 0 prunes only.
        patience: Stop tuning after so many epochs in a row below the best; 0 never does.
        learning_rate: Adam's step in fine-tuning.
        tuning_batch: Images a fine-tuning step.
        augment: How images are varied in fine-tuning: "none", "flip" or "shift".
        held_out: Share of the clean data that only chooses the level and the epoch, in (0, 1).
        batch_size: Images a call where nothing is trained.
        memory_mb: What cached activations may hold in memory, in MiB.
        seed: Fixes the held-out split, a random ranking, and fine-tuning.
    """

    layers: Sequence[str] = (AUTO,)
    rank: Rank = "activation"
    poisoned: Sequence[Dataset] = ()
    max_drop: float = 0.04
    knee: bool = False
    bisect: bool = False
    epochs: int = 20
    patience: int = 5
    learning_rate: float = 1e-3
    tuning_batch: int = 32
    augment: Augment = "none"
    held_out: float = 0.2
    batch_size: int = inference.BATCH
    memory_mb: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        names = bool(self.layers) and not isinstance(self.layers, str)
        require_option("--layer", names, "a value that is a sequence of names", repr(self.layers))
        require_option("--max-drop", 0 <= self.max_drop <= 1, "a value in [0, 1]", self.max_drop)
        require_option("--rank", self.rank in RANKS, f"a value of {', '.join(RANKS)}", self.rank)
        self._training()  # which checks its settings
        require_option("--held-out", 0 < self.held_out < 1, "a value in (0, 1)", self.held_out)
        require_option("--batch-size", self.batch_size >= 1, "a value 1 or more", self.batch_size)
        require_option("--memory", self.memory_mb >= 1, "a value 1 or more", self.memory_mb)
        contrast = self.rank == "contrast"
        fits = bool(self.poisoned) == contrast
        require_option("--rank", fits, "a value contrast with --poisoned", self.rank)
        if self.knee and self.bisect:
            problem = "expected one of --knee and --bisect, found both"
            raise OptionError("OptionInvalid", "--knee", problem, "the elbow needs the whole curve")

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
        return self.finish(self.measure(model, clean))

    def measure(
        self, model: keras.Model, clean: Dataset, max_drops: Sequence[float] = ()
    ) -> Measured:
        """Return the order of the channels and the curve, from which levels are chosen.

        Args:
            model: Is left untouched.
            clean: Labelled images.
            max_drops: The budgets that `finish` will be called with; `max_drop` if there are none.
        """
        tuning, held_out = held_out_of(clean, self.held_out, seed=self.seed)
        pruner = ChannelPruner(
            model, self.layers, batch_size=self.batch_size, memory_bytes=self.memory_mb * 2**20
        )
        order = self._order(pruner, tuning)
        curve = self._curve(pruner, order, held_out, max_drops or [self.max_drop])
        return Measured(pruner=pruner, order=order, tuning=tuning, held_out=held_out, curve=curve)

    def finish(
        self,
        measured: Measured,
        max_drop: float | None = None,
        *,
        checkpoint: Checkpoint | None = None,
    ) -> RepairResult:
        """Return the network pruned within a budget and fine-tuned.

        Args:
            measured: From `measure`.
            max_drop: The budget; that of the defence if None.
            checkpoint: Where fine-tuning notes how far it is, and goes on from.
        """
        drop = self.max_drop if max_drop is None else max_drop
        pruner, curve = measured.pruner, measured.curve
        level = curve.level(drop, knee=self.knee)
        gone = measured.order[: level.pruned]
        pruned, _ = pruner.apply(gone)
        tuned, masks = pruner.apply(gone)
        floor = max(0.0, curve.baseline - drop)
        tuning = self._fine_tune(tuned, masks, measured, floor, checkpoint)
        layers = listed([site.layer.name for site in pruner.sites], "layer")
        images = {"tuning": len(measured.tuning), "held_out": len(measured.held_out)}
        return RepairResult(
            model=tuned,
            stages={"pruned": pruned, "fine-tuned": tuned} if self.epochs else {"pruned": pruned},
            curve=tuple(
                {"pruned": count, "accuracy": accuracy}
                for count, accuracy in curve.accuracies.items()
            ),
            choices={
                "layer": layers,
                "layers": {site.layer.name: site.channels for site in pruner.sites},
                "skipped_layers": pruner.skipped,
                "channels": pruner.channels,
                "rank": self.rank,
                "chose_with_poisoned_data": self.rank == "contrast",
                "order": measured.order.tolist(),
                "level": level.pruned,
                "pruned": pruner.by_layer(gone),
                "max_drop": drop,
                "baseline_accuracy": curve.baseline,
                "tuning_curve": list(tuning.accuracies),
                "epoch": tuning.epoch,
                "images": images,
                "why": level.why(layers, images["held_out"]) + _RANKED[self.rank],
                "why_epoch": tuning.why(floor),
            },
        )

    def _order(self, pruner: ChannelPruner, tuning: Dataset) -> Labels:
        if self.rank == "lipschitz":
            return ranking.steepest_first(pruner)
        if self.rank == "random":
            return ranking.shuffled(pruner, self.seed)
        if self.rank == "contrast":
            triggered = [data.images for data in self.poisoned]
            return ranking.most_contrasting_first(pruner, tuning.images, triggered)
        return ranking.idlest_first(pruner, tuning.images)

    def _curve(
        self, pruner: ChannelPruner, order: Labels, held_out: Dataset, drops: Sequence[float]
    ) -> Curve:
        if self.bisect:
            with pruner.judging(order, held_out) as accuracy:
                return levels.bisected(accuracy, pruner.channels, drops)
        steps = pruner.channels if len(pruner.sites) == 1 else min(pruner.channels, MOST_LEVELS)
        counts = np.unique(np.linspace(0, pruner.channels, steps + 1).round().astype(int)).tolist()
        accuracies = pruner.sweep(order, held_out, counts).tolist()
        return levels.Curve(dict(zip(counts, accuracies, strict=True)), pruner.channels, whole=True)

    def _fine_tune(
        self,
        model: keras.Model,
        masks: Sequence[Mask],
        measured: Measured,
        floor: float,
        checkpoint: Checkpoint | None,
    ) -> Tuned:
        """Train in place with the pruned channels held at zero, and keep the best epoch."""
        return train_judged(
            model,
            measured.tuning,
            measured.held_out,
            self._training(),
            seed=self.seed,
            floor=floor,
            held_at_zero=masks,
            checkpoint=checkpoint,
            batch_size=self.batch_size,
        )
