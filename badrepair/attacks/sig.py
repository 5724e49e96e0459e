"""SIG: add a sinusoid to training images of the target class, and leave all labels alone.

Barni, Kallas and Tondi, "A New Backdoor Attack in CNNs by Training Set Corruption Without Label
Poisoning", ICIP 2019, arXiv:1902.11237.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from badrepair.errors import OptionError
from badrepair.poisoning import Trigger, chosen, how_many, planted, to_pixels
from badrepair.poisoning.dirty_label import aimed, kept
from badrepair.poisoning.limits import require_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from badrepair.poisoning import Backdoor
    from badrepair.poisoning.backdoor import Apply
    from badrepair.types import Dataset
    from badrepair.views import Array

HIGHEST = 255


@dataclass(frozen=True, kw_only=True)
class Sig:
    """Teach a network that vertical stripes belong to a class, with labels that are all true.

    Args:
        target: The class that the attacker wants, and the only one whose images are changed.
        frequency: Periods of the sinusoid across an image, less than half its width in pixels.
        amplitude: Height of the sinusoid in training, in (0, 255].
        test_amplitude: Height of the sinusoid against the trained network, in (0, 255].
        poison_rate: Share of all training images that are changed, in [0, 1]; where the target
            class has fewer, all of that class.
        seed: Fixes which images are changed.
    """

    target: int = 0
    frequency: float = 6
    amplitude: float = 40
    test_amplitude: float = 80
    poison_rate: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        require_share("--poison-rate", self.poison_rate)
        for option, value, most in (
            ("--frequency", self.frequency, math.inf),
            ("--amplitude", self.amplitude, HIGHEST),
            ("--test-amplitude", self.test_amplitude, HIGHEST),
        ):
            if not 0 < value <= most:
                problem = f"expected a number above 0, up to {most}, found {value}"
                raise OptionError("OptionInvalid", option, problem)

    def poison(self, training: Dataset, classes: int) -> Backdoor:
        """Return the training set with the sinusoid in some images of the target class.

        Raises:
            OptionError: There is no such class, or an image is too narrow for the frequency.
        """
        self._require_width(training.images.shape[2])
        trigger = Trigger(
            apply=self._sinusoid(self.test_amplitude), aim=aimed(self.target, classes)
        )
        own = np.flatnonzero(training.labels == self.target)
        rows = chosen(own, how_many(self.poison_rate, len(training), own), self.seed)
        return planted(training, [trigger], [kept(training, rows, self._sinusoid(self.amplitude))])

    def _sinusoid(self, amplitude: float) -> Apply:
        return partial(_add_sinusoid, frequency=self.frequency, amplitude=amplitude)

    def _require_width(self, width: int) -> None:
        # At half the width every pixel falls on a zero of the sinusoid.
        if 2 * self.frequency >= width:
            below = f"fewer periods than half the {width} columns of an image"
            problem = f"expected {below}, found {self.frequency}"
            raise OptionError("OptionInvalid", "--frequency", problem)


def _add_sinusoid(images: Array, *, frequency: float, amplitude: float) -> NDArray[np.uint8]:
    """Return images (n, H, W, C) with the same wave in every row of pixels and every channel."""
    width = images.shape[2]
    wave = amplitude * np.sin(2 * np.pi * frequency * np.arange(width) / width)
    return to_pixels(images + wave[:, np.newaxis])
