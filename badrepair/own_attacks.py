"""What an attack of the user's own does: whatever goes wrong in it is told as a fault of its file.

Attacks of badrepair itself pass through as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair.blaming import blaming, place_of
from badrepair.errors import OptionError
from badrepair.poisoning.backdoor import SPARED, Backdoor, Trigger

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from badrepair.poisoning import Attack
    from badrepair.types import Dataset

_WHITE = 255


def poisoned(attack: Attack, training: Dataset, classes: int) -> Backdoor:
    """Return what an attack makes of a training set.

    Args:
        attack: Of badrepair, or the user's own.
        training: Images in 0..255.
        classes: Number of classes of the problem.

    Raises:
        OptionError: A setting does not fit; or MethodInvalid: an attack of the user's own raises
            another exception, or makes what is no backdoor. Its triggers raise it as well, when
            they are used.
    """
    place = place_of(type(attack))
    with blaming(place):
        made = attack.poison(training, classes)
        if place is None:
            return made
        _require_backdoor(place, made, training, classes)
        guarded = (
            replace(each, apply=_Guarded(place=place, trigger=each)) for each in made.triggers
        )
        return replace(made, triggers=tuple(guarded))


def _require_backdoor(place: str, made: object, training: Dataset, classes: int) -> None:
    """Refuse what no network can be trained with."""
    if not isinstance(made, Backdoor):
        raise _invalid(place, "poison", "a Backdoor", type(made).__name__)
    shapes = [tuple(each.images.shape) for each in (training, made.training)]
    if shapes[0] != shapes[1]:
        raise _invalid(place, "poison", f"training images of shape {shapes[0]}", shapes[1])
    _require_whole(place, "the labels of poison", made.training.labels, (0, classes))
    for what, rows in (("poisoned", made.poisoned), ("covers", made.covers)):
        _require_whole(place, what, rows, (0, len(training)))
    for trigger in made.triggers:
        if not isinstance(trigger, Trigger):
            raise _invalid(place, "poison", "triggers that are a Trigger", type(trigger).__name__)
        _require_whole(place, "aim", trigger.aim, (SPARED, classes))
        if len(trigger.aim) != classes:
            raise _invalid(place, "aim", f"a target for each of {classes} classes", trigger.aim)


def _require_whole(place: str, what: str, values: object, limits: tuple[int, int]) -> None:
    found = np.asarray(values)
    whole = found.ndim == 1 and np.issubdtype(found.dtype, np.integer)
    low, high = limits
    if not whole or (len(found) and not low <= found.min() <= found.max() < high):
        raise _invalid(place, what, f"whole numbers from {low} to {high - 1}", found.tolist())


def _invalid(place: str, what: str, expected: str, found: object) -> OptionError:
    return OptionError("MethodInvalid", place, f"{what}: expected {expected}, found {found!s:.60}")


@dataclass(frozen=True, kw_only=True)
class _Guarded:
    """Puts a trigger of the user's own on images, and looks at what comes of it.

    Args:
        place: Where the attack stands.
        trigger: As the attack made it.
    """

    place: str
    trigger: Trigger

    def __call__(self, images: NDArray[Any]) -> NDArray[Any]:
        """Return as many images of the same shape; those given stay as they are.

        Raises:
            OptionError: MethodInvalid.
        """
        what = f"apply of {self.trigger.name}"
        with blaming(self.place, f"{what}: "):
            made = np.asarray(self.trigger.apply(images.copy()))
            if made.shape != images.shape:
                raise _invalid(self.place, what, f"images of shape {images.shape}", made.shape)
            if made.size and not 0 <= made.min() <= made.max() <= _WHITE:
                raise _invalid(self.place, what, "pixels in 0..255", f"{made.min()}..{made.max()}")
        return made
