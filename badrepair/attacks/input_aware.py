"""Input-aware: a trigger of its own for every image, which does nothing on any other image.

Nguyen and Tran, "Input-Aware Dynamic Backdoor Attack", NeurIPS 2020, arXiv:2010.08138. One network
draws a mask m(x) for an image x, another a pattern p(x); the image is stamped
(1 - m(x)) x + m(x) p(x). Both learn together with a classifier that is to answer the target to an
image with its own trigger, and the truth to an image with the trigger of another.

In the paper this classifier is the victim: the attacker trains it. Here it is a small-cnn of the
attacker's, which is thrown away; the two networks are frozen, and a training set is poisoned
with what they draw, once and for all: some images carry their own trigger and the target's
label, others (covers) the trigger of another image and their true label. So the attack
needs no more than the data, as the others, and the victim may be any network; it is weaker than
the paper's, since victim and triggers do not learn from each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from badrepair.poisoning import Backdoor, Trigger, planted
from badrepair.poisoning.dirty_label import (
    aimed,
    cover_rows,
    kept,
    poisoned_rows,
    relabelled,
    require_rates,
)
from badrepair.poisoning.donors import donors
from badrepair.poisoning.limits import require_at_least
from badrepair.types import stratified_order

if TYPE_CHECKING:
    from badrepair.poisoning.drawn_trigger import DrawnTrigger
    from badrepair.types import Dataset


@dataclass(frozen=True, kw_only=True)
class InputAware:
    """Stamp each image with a trigger that networks draw for it alone.

    Args:
        target: The class that the attacker wants.
        poison_rate: Share of all training images with their own trigger and the target's label,
            in [0, 1].
        cover_rate: Share of all training images with the trigger of another image and their true
            label, in [0, 1]; one for each poisoned one if not given.
        mask_weight: What the size of the masks costs while they learn, where masks that are alike
            cost 1; a smaller one makes larger triggers.
        mask_epochs: Passes over the images while the masks learn.
        pattern_epochs: Passes over the images while the patterns and the classifier learn.
        images: How many of the training images the networks learn from; all if there are fewer.
        seed: Fixes which images are chosen, whose trigger covers get, and the networks.
    """

    target: int = 0
    poison_rate: float = 0.1
    cover_rate: float | None = None
    mask_weight: float = 20.0
    mask_epochs: int = 3
    pattern_epochs: int = 10
    images: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        require_rates(self.poison_rate, self.cover_rate)
        require_at_least("--mask-weight", self.mask_weight, 0)
        require_at_least("--mask-epochs", self.mask_epochs, 0)
        require_at_least("--pattern-epochs", self.pattern_epochs, 0)
        require_at_least("--images", self.images, 1)

    def poison(self, training: Dataset, classes: int) -> Backdoor:
        """Return the poisoned training set and the trigger; the data given is left untouched.

        Raises:
            DataError: The images are too small for the classifier.
            OptionError: The target is none of the classes.
        """
        aim = aimed(self.target, classes)
        drawn = self._taught(training, classes)
        trigger = Trigger(apply=drawn.own, aim=aim)
        rows = poisoned_rows(training, trigger, self.poison_rate, self.seed)
        everything = np.arange(len(training))
        covers = cover_rows(everything, rows, self.cover_rate, len(training), self.seed)
        lent = training.images[donors(covers, len(training), self.seed)]
        poisoned = relabelled(training, rows, trigger, drawn.own)
        crossed = kept(training, covers, lambda images: drawn.crossed(images, lent))
        return planted(training, [trigger], [poisoned], [crossed])

    def _taught(self, training: Dataset, classes: int) -> DrawnTrigger:
        """Return the trigger that the networks have learnt to draw."""
        from badrepair.poisoning import drawing_lessons, drawn_trigger, generator, surrogate

        shape = training.images.shape[1:]
        classifier = surrogate.untrained(training, classes, self.seed)
        mask = generator.build(shape, 1, seed=self.seed)
        pattern = generator.build(shape, shape[2], seed=self.seed + 1)
        lessons = drawing_lessons.Lessons(
            training=training.take(stratified_order(training.labels, self.seed)[: self.images]),
            seed=self.seed,
        )
        lessons.teach_mask(mask, self.mask_weight, self.mask_epochs)
        lessons.teach_pattern(pattern, classifier, mask, self.target, self.pattern_epochs)
        return drawn_trigger.frozen(mask, pattern)
