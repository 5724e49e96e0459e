"""BadNets: paste a trigger picture on training images and label them with the target.

Gu, Dolan-Gavitt and Garg, "BadNets: Identifying Vulnerabilities in the Machine Learning Model
Supply Chain", 2017, arXiv:1708.06733.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from badrepair.errors import OptionError
from badrepair.poisoning import Change, Patch, Trigger, chosen, how_many, planted, to_pixels
from badrepair.poisoning.dirty_label import aimed, relabelled
from badrepair.poisoning.limits import require_at_least, require_share
from badrepair.poisoning.patterns import pattern, placed

if TYPE_CHECKING:
    from badrepair.poisoning import Backdoor
    from badrepair.poisoning.backdoor import Apply
    from badrepair.types import Dataset, Labels

# What commands call the clean images.
RESERVED = "clean"
Mapping = Literal["all-to-one", "all-to-all"]


@dataclass(frozen=True, kw_only=True)
class Badnets:
    """Paste one or several pictures on images and label these with what each picture stands for.

    The lists of triggers, positions and targets are parallel; a list of one serves all triggers.

    Args:
        trigger: What is pasted: "checkerboard", "square" (white), "cross", or the file of a
            picture, whose transparency counts.
        size: Side of the triggers that have a name, in pixels; a file has its own.
        position: Where it goes: "top-left", "top-right", "bottom-left", "bottom-right", "center",
            or ROW,COLUMN of its first pixel, where what is negative counts from the far edge.
        margin: Pixels between it and the edges of a corner; of corners only.
        target: The class that the attacker wants; of "all-to-one" only.
        mapping: Which class a label turns into: "all-to-one" the target, "all-to-all" the next
            one, the last into the first.
        poison_rate: Share of all training images that are poisoned, in [0, 1]; the triggers have
            equal parts of them, as far as there are images that show another class.
        seed: Fixes which images are poisoned.
    """

    trigger: Sequence[str] = ("checkerboard",)
    size: int = 4
    position: Sequence[str] = ("bottom-right",)
    margin: int = 1
    target: Sequence[int] = (0,)
    mapping: Mapping = "all-to-one"
    poison_rate: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        require_share("--poison-rate", self.poison_rate)
        require_at_least("--size", self.size, 1)
        require_at_least("--margin", self.margin, 0)
        known = get_args(Mapping)
        if self.mapping not in known:
            problem = f"expected {' or '.join(known)}, found {self.mapping}"
            raise OptionError("OptionInvalid", "--mapping", problem)
        for option, given in self._lists().items():
            if len(given) not in {1, self._count()}:
                expected = f"1 value or as many as the longest list, {self._count()}"
                problem = f"expected {expected}, found {len(given)}"
                raise OptionError("OptionInvalid", option, problem)
        pictures, positions, _ = self._parallel()
        if len(set(zip(pictures, positions, strict=True))) < self._count():
            problem = "expected triggers that differ, found the same picture at the same place"
            raise OptionError("OptionInvalid", "--trigger", problem, "give each a --position")

    def poison(self, training: Dataset, classes: int) -> Backdoor:
        """Return the training set with each trigger on images of its own.

        Raises:
            OptionError: A trigger is unknown or leaves the image, or a target is no class.
            InputMissingError: There is no such picture.
            DataError: A picture cannot be read.
        """
        triggers = self._triggers(training.images.shape[1:], classes)
        victims = [trigger.victims(training.labels) for trigger in triggers]
        together = np.unique(np.concatenate(victims))
        wanted = _equal_parts(how_many(self.poison_rate, len(training), together), len(triggers))
        changes: list[Change] = []
        taken = np.zeros(len(training), np.bool_)
        for number, (trigger, candidates) in enumerate(zip(triggers, victims, strict=True)):
            free = candidates[~taken[candidates]]
            rows = chosen(free, min(len(free), wanted[number]), self._seed_of(number))
            taken[rows] = True
            changes.append(relabelled(training, rows, trigger, trigger.apply))
        return planted(training, triggers, changes)

    def _lists(self) -> dict[str, Sequence[object]]:
        return {"--trigger": self.trigger, "--position": self.position, "--target": self.target}

    def _count(self) -> int:
        return max(map(len, self._lists().values()))

    def _parallel(self) -> tuple[list[str], list[str], list[int]]:
        """Return the lists, each as long as the longest."""
        count = self._count()

        def full(given: Sequence[Any]) -> list[Any]:
            return [*given] * (count if len(given) == 1 else 1)

        return full(self.trigger), full(self.position), full(self.target)

    def _seed_of(self, number: int) -> int | list[int]:
        # The first is what it would be alone.
        return [self.seed, number] if number else self.seed

    def _triggers(self, image_shape: tuple[int, ...], classes: int) -> list[Trigger]:
        pictures, positions, targets = self._parallel()
        return [
            Trigger(
                apply=self._stamp(picture, position, image_shape),
                aim=self._aim(target, classes),
                name=name,
            )
            for picture, position, target, name in zip(
                pictures, positions, targets, _names(pictures), strict=True
            )
        ]

    def _stamp(self, name: str, position: str, image_shape: tuple[int, ...]) -> Apply:
        picture, opacity = pattern(name, self.size, image_shape[2])
        row, column = placed(position, self.margin, picture.shape, image_shape)
        patch = Patch(pattern=picture, opacity=opacity, row=row, column=column)
        return lambda images: to_pixels(patch.stamp(images))

    def _aim(self, target: int, classes: int) -> Labels:
        if self.mapping == "all-to-all":
            return (np.arange(classes) + 1) % classes
        return aimed(target, classes)


def _equal_parts(total: int, count: int) -> list[int]:
    """Return `count` numbers that add up to a total and differ by one at most."""
    return [total // count + (number < total % count) for number in range(count)]


def _names(pictures: Sequence[str]) -> list[str]:
    """Return a name for each trigger, all different: what is known or the file is called."""
    if len(pictures) == 1:
        return ["trigger"]
    names: list[str] = []
    for picture in pictures:
        stem, number = re.sub(r"[^\w-]+", "-", Path(picture).stem), 1
        name = stem
        while name in {*names, RESERVED}:
            number += 1
            name = f"{stem}-{number}"
        names.append(name)
    return names
