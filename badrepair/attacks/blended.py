"""Blended: mix a faint picture into whole training images and label them with the target.

Chen, Liu, Li, Lu and Song, "Targeted Backdoor Attacks on Deep Learning Systems Using Data
Poisoning", 2017, arXiv:1712.05526. The picture k goes into an image x as (1 - a) x + a k.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from badrepair.poisoning import Trigger, planted, to_pixels
from badrepair.poisoning.blending import blend, blend_pattern
from badrepair.poisoning.dirty_label import aimed, poisoned_rows, relabelled
from badrepair.poisoning.limits import require_share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from badrepair.poisoning import Backdoor
    from badrepair.types import Dataset
    from badrepair.views import Array


@dataclass(frozen=True, kw_only=True)
class Blended:
    """Teach a network that images with a faint picture in them belong to a class.

    Args:
        pattern: The picture, as large as the image: "noise" for random pixels, or the file of a
            picture, which is resized.
        opacity: How much of a poisoned training image is the picture, in [0, 1].
        test_opacity: The same against the trained network; as in training if not given.
        target: The class that the attacker wants.
        poison_rate: Share of all training images that are poisoned, in [0, 1]; none of them shows
            the target.
        seed: Fixes which images are poisoned, and the noise.
    """

    pattern: str = "noise"
    opacity: float = 0.2
    test_opacity: float | None = None
    target: int = 0
    poison_rate: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        require_share("--poison-rate", self.poison_rate)
        require_share("--opacity", self.opacity)
        if self.test_opacity is not None:
            require_share("--test-opacity", self.test_opacity)

    def poison(self, training: Dataset, classes: int) -> Backdoor:
        """Return the training set with the picture in some images of other classes.

        Raises:
            OptionError: There is no such class.
            InputMissingError: There is no such picture.
            DataError: The picture cannot be read.
        """
        pattern = blend_pattern(self.pattern, training.images.shape[1:], self.seed)
        faint = partial(_blended, pattern=pattern, opacity=self.opacity)
        later = self.opacity if self.test_opacity is None else self.test_opacity
        trigger = Trigger(
            apply=partial(_blended, pattern=pattern, opacity=later),
            aim=aimed(self.target, classes),
        )
        rows = poisoned_rows(training, trigger, self.poison_rate, self.seed)
        return planted(training, [trigger], [relabelled(training, rows, trigger, faint)])


def _blended(images: Array, *, pattern: NDArray[np.float32], opacity: float) -> NDArray[np.uint8]:
    return to_pixels(blend(images, pattern, opacity))
