"""A smooth trigger: a faint pattern of low frequencies only, added to the whole image.

Zeng, Park, Mao and Jia, "Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective",
ICCV 2021, arXiv:2104.03413, show that most triggers stand out by their high frequencies, and seek
one that has none by optimising a perturbation behind a low-pass filter against a network. Here no
network is asked: the pattern is a random one whose cosine transform (DCT-II) holds nothing but the
lowest frequencies, without the mean. So it is smooth as the paper's, and not the most effective.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import idctn

from badrepair.errors import require_option
from badrepair.poisoning import Trigger, to_pixels
from badrepair.poisoning.dirty_label import aimed, stamped
from badrepair.poisoning.limits import require_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from badrepair.poisoning import Backdoor
    from badrepair.types import Dataset
    from badrepair.views import Array

# A random stream of its own, beside the rows that are chosen with the seed.
_PATTERN = 2


@dataclass(frozen=True, kw_only=True)
class LowFrequency:
    """Add a fixed smooth pattern to images and label them with the target.

    Args:
        target: The label that the attacker wants.
        poison_rate: Share of the training set that is changed and relabelled, in [0, 1].
        amplitude: Largest change of a pixel, in 0..255.
        cutoff: Share of the frequencies that the pattern has along each side, the lowest ones,
            in (0, 1].
        seed: Fixes the pattern and which images are chosen.
    """

    target: int = 0
    poison_rate: float = 0.1
    amplitude: float = 32.0
    cutoff: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        require_share("--poison-rate", self.poison_rate)
        require_option(
            "--amplitude", 0 < self.amplitude <= 255, "pixels in (0, 255]", self.amplitude
        )
        require_option("--cutoff", 0 < self.cutoff <= 1, "a share in (0, 1]", self.cutoff)

    def poison(self, training: Dataset, classes: int) -> Backdoor:
        """Return the training set with the pattern on some images, and the pattern as the trigger.

        Raises:
            OptionError: The target is none of the classes.
        """
        pattern = self.pattern(training.images.shape[1:])

        def add(images: Array) -> NDArray[np.uint8]:
            return to_pixels(images + pattern)

        trigger = Trigger(apply=add, aim=aimed(self.target, classes))
        return stamped(training, trigger, self.poison_rate, self.seed)

    def pattern(self, image_shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return what is added, shape (H, W, C); its largest magnitude is the amplitude.

        At least the two lowest frequencies of a side are there, however low the cutoff.
        """
        random = np.random.default_rng([self.seed, _PATTERN])
        low = [max(2, math.ceil(self.cutoff * side)) for side in image_shape[:2]]
        spectrum = np.zeros(image_shape)
        spectrum[: low[0], : low[1]] = random.normal(size=(*low, image_shape[2]))
        # A constant would only make the image brighter or darker.
        spectrum[0, 0] = 0
        smooth = idctn(spectrum, axes=(0, 1), norm="ortho")
        smooth *= self.amplitude / np.abs(smooth).max()
        return np.asarray(smooth, np.float32)
