"""BppAttack: squeeze the colours to a few levels, with dithering.

Wang, Zhai and Ma, "BppAttack: Stealthy and Efficient Trojan Attacks against Deep Neural Networks
via Image Quantization and Contrastive Adversarial Learning", CVPR 2022, arXiv:2205.13383. Errors
are spread as Floyd and Steinberg do ("An Adaptive Algorithm for Spatial Greyscale", SID 1976).
A cover image gets the squeezing error of another image, so that the network learns the levels and
not just any such noise. The paper's attacker also controls training, with adversarial examples and
a contrastive loss; here the training set is poisoned and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from badrepair.errors import require_option
from badrepair.poisoning import Trigger, planted, to_pixels
from badrepair.poisoning.dirty_label import (
    aimed,
    cover_rows,
    kept,
    poisoned_rows,
    relabelled,
    require_rates,
)
from badrepair.poisoning.donors import donors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from badrepair.poisoning import Backdoor
    from badrepair.types import Dataset
    from badrepair.views import Array

_WHITE = 255
# Where an error goes, and how many sixteenths of it: what is read before is done already.
_AHEAD = ((0, 1, 7), (1, -1, 3), (1, 0, 5), (1, 1, 1))


@dataclass(frozen=True, kw_only=True)
class Bpp:
    """Squeeze images to few levels a channel; covers get the error of another image.

    Args:
        target: The label that the attacker wants.
        poison_rate: Share of the training set that is squeezed and relabelled, in [0, 1].
        cover_rate: Share of the training set that gets another image's squeezing error and keeps
            its label, in [0, 1]; one for each poisoned one if not given.
        bits: Bits a channel that are left, in 1..7: 2^bits levels from black to white.
        dithering: Whether the error of a pixel is spread over those that follow, or dropped.
        seed: Fixes which images are chosen and whose errors the covers get.
    """

    target: int = 0
    poison_rate: float = 0.1
    cover_rate: float | None = None
    bits: int = 1
    dithering: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        require_rates(self.poison_rate, self.cover_rate)
        require_option("--bits", 1 <= self.bits <= 7, "1 to 7", self.bits)

    def poison(self, training: Dataset, classes: int) -> Backdoor:
        """Return the training set with some images squeezed, and the squeezing as the trigger.

        Raises:
            OptionError: The target is none of the classes.
        """
        trigger = Trigger(apply=self.squeeze, aim=aimed(self.target, classes))
        rows = poisoned_rows(training, trigger, self.poison_rate, self.seed)
        everyone = np.arange(len(training))
        covers = cover_rows(everyone, rows, self.cover_rate, len(training), self.seed)
        others = training.images[donors(covers, len(training), self.seed)]

        def add_the_error_of_others(images: Array) -> NDArray[np.uint8]:
            return to_pixels(images + (self.squeeze(others) - others.astype(np.float32)))

        return planted(
            training,
            [trigger],
            [relabelled(training, rows, trigger, self.squeeze)],
            [kept(training, covers, add_the_error_of_others)],
        )

    def squeeze(self, images: Array) -> NDArray[np.uint8]:
        """Return images (n, H, W, C) of 2^bits levels a channel, black and white among them."""
        step = _WHITE / (2**self.bits - 1)
        return to_pixels(dithered(images, step) if self.dithering else nearest(images, step))


def nearest(values: Array, step: float) -> NDArray[np.float32]:
    """Return the nearest multiple of a step in 0..255."""
    levels = np.clip(np.rint(values / np.float32(step)), 0, round(_WHITE / step))
    return (levels * step).astype(np.float32)


def dithered(images: Array, step: float) -> NDArray[np.float32]:
    """Return images of few levels whose errors went to the pixels that follow.

    Row by row from the upper left, in every image and channel apart. What would leave the image
    is dropped.

    Args:
        images: Shape (n, H, W, C), in 0..255.
        step: From one level to the next.
    """
    # Pixel by pixel, for all images at once: those of one place lie together, and there is a
    # margin on three sides for what leaves the image.
    height, width = images.shape[1:3]
    pixels = np.moveaxis(images, 0, 2).astype(np.float32)
    values = np.pad(pixels, ((0, 1), (1, 1), (0, 0), (0, 0)))
    for row in range(height):
        for column in range(1, width + 1):
            before = values[row, column].copy()
            values[row, column] = nearest(before, step)
            error = before - values[row, column]
            for down, across, sixteenths in _AHEAD:
                values[row + down, column + across] += error * np.float32(sixteenths / 16)
    return np.moveaxis(values[:height, 1:-1], 2, 0)
