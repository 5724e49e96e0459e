"""What was measured in one cell of a grid: a line of the bench's file, as plain values and back."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from badrepair.bench.decoding import decoded
from badrepair.errors import DataError
from badrepair.types import Estimate, Rate

Schema = Literal[1]
SCHEMA: Schema = get_args(Schema)[0]
# The attack of a clean control, and the defence that leaves the network as it is.
NONE = "none"
Kind = Literal["none", "repair", "detector"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What meets in a cell, by the labels of the grid.

    Args:
        data: The data set.
        architecture: The network.
        attack: How it was poisoned; `NONE` for a clean control.
        poison_rate: Share of the training set that carries the trigger, in [0, 1].
        defense: What was done about it; `NONE` for the network as it is.
        seed: Of attack, training and defence.
    """

    data: str
    architecture: str
    attack: str
    poison_rate: float
    defense: str
    seed: int

    def __post_init__(self) -> None:
        if not 0 <= self.poison_rate <= 1:
            raise ValueError(f"expected a poison rate in [0, 1], found {self.poison_rate}")

    @property
    def control(self) -> bool:
        """Return whether nobody attacked the network."""
        return self.attack == NONE


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a cell has no result.

    Args:
        code: One CamelCase word.
        message: One line.
    """

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class TriggerBefore:
    """How the undefended network answers images with one trigger.

    Args:
        name: The trigger's name.
        attack_success_rate: Share answered with the attacker's target.
        recovered_accuracy: Share answered with the true label.
    """

    name: str
    attack_success_rate: Rate
    recovered_accuracy: Rate | None = None


@dataclass(frozen=True, kw_only=True)
class TriggerAfter:
    """How the repaired or guarded network answers images with one trigger.

    Args:
        name: The trigger's name.
        attack_success_rate: Share answered with the attacker's target.
        detection_rate: Share flagged; None for a repair.
        recovered_accuracy: Share answered with the true label.
        defense_effectiveness: DER against the undefended network, in [0, 1].
    """

    name: str
    attack_success_rate: Rate
    detection_rate: Rate | None = None
    recovered_accuracy: Rate | None = None
    defense_effectiveness: float | None = None


@dataclass(frozen=True, kw_only=True)
class Before:
    """The undefended network on the test images.

    Args:
        accuracy: Share of the clean images answered right.
        attacks: One a trigger; none for a clean control.
    """

    accuracy: Rate
    attacks: tuple[TriggerBefore, ...]


@dataclass(frozen=True, kw_only=True)
class After:
    """The repaired or guarded network on the same images.

    Args:
        accuracy: Share of the clean images answered right; one that is flagged is not.
        false_rejection_rate: Share of them that is flagged; None for a repair.
        attacks: One a trigger; none for a clean control.
    """

    accuracy: Rate
    false_rejection_rate: Rate | None = None
    attacks: tuple[TriggerAfter, ...]


@dataclass(frozen=True, kw_only=True)
class TriggerDetected:
    """How well the scores of a detector tell images with one trigger from clean ones.

    Args:
        name: The trigger's name.
        auroc: Chance that a poisoned image looks more suspicious than a clean one.
        true_positive_rate_at_1: Share that a threshold catches which flags 1 % of the clean ones.
        true_positive_rate_at_5: The same at 5 %.
        false_acceptance_rate: Share that its own threshold lets pass.
    """

    name: str
    auroc: Estimate | None = None
    true_positive_rate_at_1: Rate | None = None
    true_positive_rate_at_5: Rate | None = None
    false_acceptance_rate: Rate | None = None


@dataclass(frozen=True, kw_only=True)
class Detected:
    """What a detector's scores are worth.

    Args:
        false_rejection_rate: Share of the clean test images that it flags.
        attacks: One a trigger; none for a clean control.
    """

    false_rejection_rate: Rate | None = None
    attacks: tuple[TriggerDetected, ...]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a cell took: the only part of a line that differs from run to run.

    Args:
        seconds: Processor time, which does not depend on what else the machine does.
        peak_mib: Most memory in use, in MiB; None where the system does not tell.
    """

    seconds: float
    peak_mib: float | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """What was measured in one cell.

    Args:
        schema: Version of this shape.
        key: Digest of everything that decides about the cell, in hexadecimal.
        cell: What meets in it.
        net: Digest of the recipe of its network.
        kind: What the defence is; None where it failed before that was known.
        status: Whether there is a result.
        error: Why not; None if there is one.
        before: The undefended network; None where it failed.
        after: The defended one, which is the same where there is no defence; None where it failed.
        detection: Of a detector only.
        choices: Plain values that the defence chose.
        fingerprint: SHA-256 of what the defence made; None if it made nothing.
        cost: What it took.
    """

    schema: Schema = SCHEMA
    key: str
    cell: Cell
    net: str
    kind: Kind | None = None
    status: Literal["done", "failed"]
    error: Failure | None = None
    before: Before | None = None
    after: After | None = None
    detection: Detected | None = None
    choices: dict[str, Any] | None = None
    fingerprint: str | None = None
    cost: Cost | None = None

    def __post_init__(self) -> None:
        if (self.status == "failed") != (self.error is not None):
            raise ValueError(f"expected an error in a failed line only, found {self.status}")
        if self.status == "done" and None in (self.kind, self.before, self.after):
            raise ValueError("expected `kind`, `before` and `after` in a line that is done")

    def to_json(self) -> dict[str, Any]:
        """Return the line as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: object, where: object = "cells.jsonl") -> Self:
        """Return the line that plain values describe; what is not known of them is left out.

        Args:
            value: What was read from JSON.
            where: The file and line to name if they describe none.

        Raises:
            DataError: `LineInvalid`.
        """
        try:
            return decoded(cls, value)
        except ValueError as error:
            problem = f"expected the result of a cell, found a fault: {error}"
            hint = "remove that line, and run the grid again to fill the gap"
            raise DataError("LineInvalid", where, problem, hint) from error
