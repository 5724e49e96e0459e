"""What every attack offers, whatever it does inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from badrepair.poisoning.backdoor import Backdoor
    from badrepair.types import Dataset


class Attack(Protocol):
    """A way to poison a training set; its settings are the fields of a frozen dataclass."""

    @property
    def poison_rate(self) -> float:
        """Return the share of the whole training set that gets the trigger, in [0, 1]."""

    @property
    def seed(self) -> int:
        """Return what fixes every random choice of the attack."""

    def poison(self, training: Dataset, classes: int) -> Backdoor:
        """Return the poisoned training set and the triggers; the data given is left untouched.

        Args:
            training: Images (N, H, W, C) in 0..255 that fit in memory, and their true labels.
            classes: Number of classes of the problem.

        Raises:
            OptionError: A setting does not fit these images or classes.
        """
