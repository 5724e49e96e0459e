"""What a data set offers to whoever trains on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from badrepair.errors import OptionError

if TYPE_CHECKING:
    from badrepair.types import Dataset

# Of a data set that is not parted by its makers.
TRAINING_SHARE = 0.8


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set to train on and to test on.

    Args:
        name: What to call it in tables.
        training: Images uint8 (N, H, W, C) in 0..255, and their classes.
        test: The same; none of these images is among those to train on.
        classes: Number of classes.
    """

    name: str
    training: Dataset
    test: Dataset
    classes: int

    @classmethod
    def parted(
        cls, name: str, data: Dataset, classes: int, share: float = TRAINING_SHARE
    ) -> Source:
        """Return a data set of which a part is kept for testing, always the same one.

        Every class keeps its share in both parts.

        Args:
            name: What to call it in tables.
            data: All images.
            classes: Number of classes.
            share: Of the images to train on, in (0, 1).
        """
        training, test = data.split(share, seed=0)
        return cls(name=name, training=training, test=test, classes=classes)


def require_alone(name: str, place: str) -> None:
    """Refuse files that are given to a data set which has its own.

    Raises:
        OptionError: OptionInvalid.
    """
    if place:
        problem = f"expected {name} alone, found {name}:{place}"
        raise OptionError("OptionInvalid", "--data", problem, "drop what follows the colon")
