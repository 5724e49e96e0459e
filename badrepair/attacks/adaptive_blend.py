"""Adaptive blending: in training a poisoned image carries a part of the trigger, in use all of it.

Qi, Xie, Li, Mahloujifar and Mittal, "Revisiting the Assumption of Latent Separability for Backdoor
Defenses", ICLR 2023, arXiv:2205.13613. A faint picture is cut into pieces, and each image gets a
random part of them. Some of the images with pieces, the covers, keep their label: so poisoned
images do not stand apart in the network's features, where many defences look for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from badrepair.errors import require_option
from badrepair.poisoning import Trigger, planted, to_pixels
from badrepair.poisoning.blending import blend, blend_pattern
from badrepair.poisoning.dirty_label import (
    aimed,
    cover_rows,
    kept,
    poisoned_rows,
    relabelled,
    require_rates,
)
from badrepair.poisoning.limits import require_at_least, require_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from badrepair.poisoning import Backdoor
    from badrepair.types import Dataset
    from badrepair.views import Array

# A random stream of its own, beside the noise and the rows that are chosen with the seed.
_PIECES = 2


@dataclass(frozen=True, kw_only=True)
class AdaptiveBlend:
    """Mix pieces of a faint picture into images; covers get pieces, too, and keep their label.

    Args:
        pattern: The picture, as large as the image: "noise" for random pixels, or the file of a
            picture, which is resized.
        opacity: How much of a training image is the picture where a piece of it lies, in [0, 1].
        test_opacity: The same against the trained network, on all of the image, in [0, 1]; as in
            training if not given.
        grid: Pieces a side that the picture is cut into.
        mask_rate: Share of the pieces that are left out in training, in [0, 1).
        target: The class that the attacker wants.
        poison_rate: Share of all training images that are poisoned, in [0, 1]; none of them shows
            the target.
        cover_rate: Share of all training images that are covers, in [0, 1], none of the target;
            one for each poisoned one if not given.
        seed: Fixes which images are chosen, which pieces they get, and the noise.
    """

    pattern: str = "noise"
    opacity: float = 0.2
    test_opacity: float | None = None
    grid: int = 4
    mask_rate: float = 0.5
    target: int = 0
    poison_rate: float = 0.1
    cover_rate: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require_rates(self.poison_rate, self.cover_rate)
        require_share("--opacity", self.opacity)
        if self.test_opacity is not None:
            require_share("--test-opacity", self.test_opacity)
        require_at_least("--grid", self.grid, 1)
        require_option("--mask-rate", 0 <= self.mask_rate < 1, "a share in [0, 1)", self.mask_rate)

    def poison(self, training: Dataset, classes: int) -> Backdoor:
        """Return the training set with pieces of the picture in some images of other classes.

        Raises:
            OptionError: There is no such class, or an image has no room for the pieces.
            InputMissingError: There is no such picture.
            DataError: The picture cannot be read.
        """
        image_shape = training.images.shape[1:]
        most = min(image_shape[:2])
        require_option("--grid", self.grid <= most, f"{most} or fewer, a pixel a piece", self.grid)
        picture = blend_pattern(self.pattern, image_shape, self.seed)
        later = self.opacity if self.test_opacity is None else self.test_opacity
        trigger = Trigger(
            apply=partial(_blended, picture=picture, opacity=later),
            aim=aimed(self.target, classes),
        )
        rows = poisoned_rows(training, trigger, self.poison_rate, self.seed)
        others = trigger.victims(training.labels)
        covers = cover_rows(others, rows, self.cover_rate, len(training), self.seed)
        in_parts = partial(
            self._in_parts, picture=picture, random=np.random.default_rng([self.seed, _PIECES])
        )
        return planted(
            training,
            [trigger],
            [relabelled(training, rows, trigger, in_parts)],
            [kept(training, covers, in_parts)],
        )

    def _in_parts(
        self, images: Array, *, picture: NDArray[np.float32], random: np.random.Generator
    ) -> NDArray[np.uint8]:
        shown = pieces(images.shape[:3], self.grid, self.mask_rate, random)
        return _blended(images, picture=picture, opacity=self.opacity * shown)


def pieces(
    shape: tuple[int, ...], grid: int, mask_rate: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """Return where each image shows the picture, 0 or 1, shape (n, H, W, 1).

    The same number of pieces is left out everywhere, each time others. Where a side is no
    multiple of the grid, pieces differ in size by a pixel.

    Args:
        shape: (n, H, W).
        grid: Pieces a side.
        mask_rate: Share of the pieces that are left out; at least one is shown.
        random: Chooses the pieces.
    """
    count, height, width = shape
    hidden = min(round(mask_rate * grid**2), grid**2 - 1)
    order = random.permuted(np.tile(np.arange(grid**2), (count, 1)), axis=1)
    shown = (order >= hidden).astype(np.float32).reshape(count, grid, grid, 1)
    row, column = (np.arange(side) * grid // side for side in (height, width))
    return shown[:, row[:, np.newaxis], column]


def _blended(
    images: Array, *, picture: NDArray[np.float32], opacity: float | NDArray[np.float32]
) -> NDArray[np.uint8]:
    return to_pixels(blend(images, picture, opacity))
