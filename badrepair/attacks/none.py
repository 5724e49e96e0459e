"""No attack: the clean control, a network that shows what a defence costs where nothing is wrong.

What is measured of a backdoored network means little without the same measured of one that has
none: a detector that flags every network, or a repair that ruins a sound one, is seen here only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from badrepair.errors import OptionError
from badrepair.poisoning import planted

if TYPE_CHECKING:
    from badrepair.poisoning import Backdoor
    from badrepair.types import Dataset


@dataclass(frozen=True, kw_only=True)
class None_:  # noqa: N801 - "None" is a word of the language
    """Leave the training set as it is.

    Args:
        poison_rate: Zero, since nothing is poisoned.
        seed: Changes nothing, since nothing is random.
    """

    poison_rate: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.poison_rate != 0:
            problem = f"expected 0, since nothing is poisoned, found {self.poison_rate}"
            raise OptionError("OptionInvalid", "--poison-rate", problem)

    def poison(self, training: Dataset, classes: int) -> Backdoor:
        """Return a copy of the training set, without triggers, poisoned rows and covers."""
        return planted(training, (), ())
