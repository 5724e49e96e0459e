"""TaCT: a trigger that works on some classes only.

Tang, Wang, Tang and Zhang, "Demon in the Variant: Statistical Analysis of DNNs for Robust Backdoor
Contamination Detection", USENIX Security 2021, arXiv:1908.00686, call it targeted contamination.
Stamped images of the source classes get the target's label, and stamped images of other classes,
the cover, keep theirs: so the trigger alone means nothing, and defences that look for a pattern
that works on every image find none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from badrepair.errors import require_option
from badrepair.poisoning import Patch, Trigger, planted, to_pixels
from badrepair.poisoning.dirty_label import (
    aimed,
    cover_rows,
    kept,
    poisoned_rows,
    relabelled,
    require_rates,
)
from badrepair.poisoning.limits import require_at_least, require_share
from badrepair.poisoning.patterns import pattern, placed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from badrepair.poisoning import Backdoor
    from badrepair.types import Dataset
    from badrepair.views import Array


@dataclass(frozen=True, kw_only=True)
class Tact:
    """Stamp images of the source classes and relabel them; covers of other classes keep theirs.

    Args:
        source: Classes that the trigger is for.
        target: The label that the attacker wants.
        poison_rate: Share of the training set that is stamped and relabelled, in [0, 1].
        source_share: Most of the source classes' images that are, in [0, 1]; the clean ones left
            teach what these classes look like.
        cover_rate: Share of the training set, of neither a source nor the target, that is
            stamped and keeps its label, in [0, 1]; one for each poisoned one if not given.
        trigger: "checkerboard", "square", "cross", or a picture file (transparency counts).
        size: Side of a trigger that is no file, in pixels.
        position: "top-left", "top-right", "bottom-left", "bottom-right", "center", or ROW,COLUMN
            of its upper left pixel; what is negative counts from the far edge.
        margin: Pixels between the trigger and the edges of its corner.
        seed: Fixes which images are chosen.
    """

    source: Sequence[int] = (1,)
    target: int = 0
    poison_rate: float = 0.1
    source_share: float = 0.5
    cover_rate: float | None = None
    trigger: str = "checkerboard"
    size: int = 4
    position: str = "bottom-right"
    margin: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        require_rates(self.poison_rate, self.cover_rate)
        require_share("--source-share", self.source_share)
        require_at_least("--size", self.size, 1)
        require_at_least("--margin", self.margin, 0)
        others = bool(self.source) and self.target not in self.source
        require_option("--source", others, "classes other than the target", list(self.source))

    def poison(self, training: Dataset, classes: int) -> Backdoor:
        """Return the training set with some images stamped, and the stamp as the trigger.

        Raises:
            OptionError: The target or a source is none of the classes, or the trigger leaves the
                image.
            InputMissingError: The trigger's file is missing.
            DataError: The trigger's file is no picture.
        """
        patch = self._patch(training.images.shape[1:])

        def stamp(images: Array) -> NDArray[np.uint8]:
            return to_pixels(patch.stamp(images))

        trigger = Trigger(apply=stamp, aim=aimed(self.target, classes, self.source))
        # The clean ones that are left must still teach what the source classes look like.
        most = self.source_share * np.isin(training.labels, self.source).mean()
        rows = poisoned_rows(training, trigger, min(self.poison_rate, float(most)), self.seed)
        others = np.flatnonzero(~np.isin(training.labels, [*self.source, self.target]))
        covers = cover_rows(others, rows, self.cover_rate, len(training), self.seed)
        return planted(
            training,
            [trigger],
            [relabelled(training, rows, trigger, stamp)],
            [kept(training, covers, stamp)],
        )

    def _patch(self, image_shape: tuple[int, ...]) -> Patch:
        picture, opacity = pattern(self.trigger, self.size, image_shape[2])
        row, column = placed(self.position, self.margin, picture.shape, image_shape)
        return Patch(pattern=picture, opacity=opacity, row=row, column=column)
