"""WaNet: bend the image a little, the same way every time.

Nguyen and Tran, "WaNet - Imperceptible Warping-based Backdoor Attack", ICLR 2021,
arXiv:2102.10369. A grid of random vectors is blown up to a smooth field, and each pixel is read
beside its place, bilinearly. In the paper the attacker trains the network and bends images anew
in every batch; here the training set is poisoned once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import zoom

from badrepair.poisoning import Trigger, planted, to_pixels
from badrepair.poisoning.dirty_label import (
    aimed,
    cover_rows,
    kept,
    poisoned_rows,
    relabelled,
    require_rates,
)
from badrepair.poisoning.limits import require_at_least

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from badrepair.poisoning import Backdoor
    from badrepair.types import Dataset
    from badrepair.views import Array

    Field = NDArray[np.float32]

# Each a random stream of its own, beside the rows that are chosen with the seed.
_FIELD, _NOISE = 2, 3
# The paper bends 0.2 of the images with noise where it poisons 0.1.
_COVERS_PER_POISONED = 2


@dataclass(frozen=True, kw_only=True)
class Wanet:
    """Bend images along a fixed smooth field; covers are bent with noise and keep their label.

    Args:
        target: The label that the attacker wants.
        poison_rate: Share of the training set that is bent and relabelled, in [0, 1].
        cover_rate: Share of the training set that is bent along the field and noise and keeps
            its label, in [0, 1]; two for each poisoned one if not given.
        grid: Control points a side of the field, 2 or more.
        strength: Twice the mean shift at the control points in each direction, in pixels.
        seed: Fixes the field, the noise, and which images are chosen.
    """

    target: int = 0
    poison_rate: float = 0.1
    cover_rate: float | None = None
    grid: int = 4
    strength: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        require_rates(self.poison_rate, self.cover_rate)
        require_at_least("--grid", self.grid, 2)
        require_at_least("--strength", self.strength, 0)

    def poison(self, training: Dataset, classes: int) -> Backdoor:
        """Return the training set with some images bent, and the bending as the trigger.

        Raises:
            OptionError: The target is none of the classes.
        """
        shifts = self.field(*training.images.shape[1:3])
        noise = np.random.default_rng([self.seed, _NOISE])

        def bend(images: Array) -> NDArray[np.uint8]:
            return to_pixels(warped(images, shifts))

        def bend_noisily(images: Array) -> NDArray[np.uint8]:
            return to_pixels(warped(images, shifts + jitter(images.shape[:3], noise)))

        trigger = Trigger(apply=bend, aim=aimed(self.target, classes))
        rows = poisoned_rows(training, trigger, self.poison_rate, self.seed)
        everyone, total, each = np.arange(len(training)), len(training), _COVERS_PER_POISONED
        covers = cover_rows(everyone, rows, self.cover_rate, total, self.seed, each=each)
        poisoned = relabelled(training, rows, trigger, bend)
        return planted(training, [trigger], [poisoned], [kept(training, covers, bend_noisily)])

    def field(self, height: int, width: int) -> Field:
        """Return how far from its place each pixel is read, in pixels.

        Shape (2, 1, H, W): down, then to the right.
        """
        random = np.random.default_rng([self.seed, _FIELD])
        control = random.uniform(-1, 1, (2, self.grid, self.grid))
        control *= self.strength / np.abs(control).mean()
        scale = (height / self.grid, width / self.grid)
        smooth = [zoom(plane, scale, order=3, mode="nearest") for plane in control]
        return np.stack(smooth)[:, np.newaxis].astype(np.float32) * _in_pixels(height, width)


def jitter(shape: tuple[int, ...], random: np.random.Generator) -> Field:
    """Return shifts of up to half a pixel that differ from pixel to pixel, shape (2, n, H, W)."""
    noise = random.uniform(-1, 1, (2, *shape)).astype(np.float32)
    return noise * _in_pixels(*shape[1:])


def warped(images: Array, shifts: Field) -> NDArray[np.float32]:
    """Return images read bilinearly beside the places of their pixels.

    Args:
        images: Shape (n, H, W, C).
        shifts: Down and to the right, in pixels, shape (2, n, H, W), or (2, 1, H, W) for all;
            what leads out of the image ends at its edge.
    """
    height, width = images.shape[1:3]
    rows = _neighbours(shifts[0] + np.arange(height)[:, np.newaxis], height)
    columns = _neighbours(shifts[1] + np.arange(width), width)
    bent = np.empty(images.shape, np.float32)
    # Image by image: what one is read from stays in the processor's cache.
    for number, image in enumerate(images):
        field = number % shifts.shape[1]
        (upper, lower, down), (left, right, across) = (
            [part[field] for part in axis] for axis in (rows, columns)
        )
        pixels = image.reshape(height * width, -1)
        above = _between(pixels[upper * width + left], pixels[upper * width + right], across)
        below = _between(pixels[lower * width + left], pixels[lower * width + right], across)
        bent[number] = _between(above, below, down)
    return bent


def _between(first: Array, second: Array, share: Field) -> Array:
    return (1 - share) * first + share * second


def _neighbours(
    places: NDArray[np.floating], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Field]:
    inside = np.clip(places, 0, size - 1).astype(np.float32)
    first = np.floor(inside).astype(np.int64)
    return first, np.minimum(first + 1, size - 1), (inside - first)[..., np.newaxis]


def _in_pixels(height: int, width: int) -> Field:
    # The paper divides by the size in coordinates that run from -1 to 1 over the image.
    sizes = np.array([height, width], np.float32)
    return ((sizes - 1) / (2 * sizes)).reshape(2, 1, 1, 1)
