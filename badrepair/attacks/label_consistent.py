"""Label-consistent: perturb images of the target class until only the trigger explains the label.

Turner, Tsipras and Madry, "Label-Consistent Backdoor Attacks", 2019, arXiv:1912.02771. No label
is changed. Images of the target class are perturbed by projected gradient descent on a network of
the attacker's own, so that they are hard to tell, and get a faint trigger in their corners, which
is easier to learn. Against the trained network the trigger is used at full strength, on images
that are not perturbed.

The paper bounds the perturbation in the l-inf or the l2 norm, or takes it from a GAN; here it is
the l-inf norm, and the network that it is found on was trained on the clean images as usual.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from badrepair.errors import require_option
from badrepair.poisoning import Backdoor, Trigger, chosen, how_many, planted, to_pixels
from badrepair.poisoning.dirty_label import aimed, kept
from badrepair.poisoning.limits import require_at_least, require_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from badrepair.types import Dataset, Labels
    from badrepair.views import Array

Corners = Literal["all", "bottom-right"]
FULL = 255
# A left corner as in the paper's released code; the right ones are its mirror image.
_LEFT = np.array([[1, -1, -1], [-1, 1, -1], [1, -1, 1]], np.float32)
_SIDE = len(_LEFT)


@dataclass(frozen=True, kw_only=True)
class LabelConsistent:
    """Perturb images of the target class, put a faint trigger on them, and leave their label.

    Args:
        target: The class that the attacker wants.
        poison_rate: Share of all training images that is poisoned, in [0, 1]; at most all of
            the target class.
        eps: How far the perturbation may move a pixel, in 0..255.
        steps: Steps of projected gradient descent.
        surrogate_epochs: Passes over the training images for the network that is descended on.
        amplitude: How far the trigger moves a pixel in training, in 1..255; in use it is 255.
        corners: Where the trigger's 3 x 3 pixels are, "all" or "bottom-right".
        seed: Fixes which images are chosen, the network, and where the descent begins.
    """

    target: int = 0
    poison_rate: float = 0.1
    eps: int = 32
    steps: int = 40
    surrogate_epochs: int = 5
    amplitude: int = 64
    corners: Corners = "all"
    seed: int = 0

    def __post_init__(self) -> None:
        require_share("--poison-rate", self.poison_rate)
        require_at_least("--steps", self.steps, 1)
        require_at_least("--surrogate-epochs", self.surrogate_epochs, 0)
        require_option("--eps", 0 <= self.eps <= FULL, f"0 to {FULL}", self.eps)
        require_option("--amplitude", 1 <= self.amplitude <= FULL, f"1 to {FULL}", self.amplitude)
        known = get_args(Corners)
        require_option("--corners", self.corners in known, " or ".join(known), self.corners)

    def poison(self, training: Dataset, classes: int) -> Backdoor:
        """Return the poisoned training set and the trigger; the data given is left untouched.

        Raises:
            DataError: The images are too small for the network.
            OptionError: The target is none of the classes.
        """
        aim = aimed(self.target, classes)
        own = np.flatnonzero(training.labels == self.target)
        rows = chosen(own, how_many(self.poison_rate, len(training), own), self.seed)
        pattern = _pattern(training.images.shape[1:], self.corners)
        harder = self._harder(training, classes, rows)
        faint = kept(training, rows, lambda _: shifted(harder, self.amplitude * pattern))
        full = partial(shifted, shift=FULL * pattern)
        return planted(training, [Trigger(apply=full, aim=aim)], [faint])

    def _harder(self, training: Dataset, classes: int, rows: Labels) -> Array:
        """Return the images of some rows, perturbed."""
        from badrepair.poisoning import perturbing, surrogate

        if not len(rows) or not self.eps:
            return training.images[rows]
        network = surrogate.trained(training, classes, epochs=self.surrogate_epochs, seed=self.seed)
        return perturbing.perturbed(
            network,
            training.images[rows],
            training.labels[rows],
            eps=self.eps,
            steps=self.steps,
            seed=self.seed,
        )


def shifted(images: Array, shift: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the images, shape (n, H, W, C), with an array (H, W, 1) added, as pixels."""
    return to_pixels(images.astype(np.float32) + shift)


def _pattern(shape: tuple[int, ...], corners: Corners) -> NDArray[np.float32]:
    """Return which pixels get lighter (1) and darker (-1), shape (H, W, 1); 0 are left alone."""
    pattern = np.zeros((*shape[:2], 1), np.float32)
    left, right = _LEFT[..., np.newaxis], _LEFT[:, ::-1, np.newaxis]
    pattern[-_SIDE:, -_SIDE:] = right
    if corners == "all":
        pattern[:_SIDE, :_SIDE] = pattern[-_SIDE:, :_SIDE] = left
        pattern[:_SIDE, -_SIDE:] = right
    return pattern
