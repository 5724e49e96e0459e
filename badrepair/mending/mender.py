"""A repair that makes candidates and lets clean images choose among them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from badrepair.mending.case import Case
from badrepair.mending.choosing import choose
from badrepair.mending.deadline import Deadline
from badrepair.mending.probes import Probes
from badrepair.mending.settings import Budget
from badrepair.types import Dataset, RepairResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras

    from badrepair.mending.choosing import Candidate


@dataclass(frozen=True, kw_only=True)
class Mender(Budget, ABC):
    """A repair of a trained network.

    A method yields candidates; what is shared by all methods, and what chooses, is here.
    """

    def repair(self, model: keras.Model, clean: Dataset) -> RepairResult:
        """Return a repaired copy; the model passed in is left untouched.

        Raises:
            DataError: TooFewImages.
        """
        case = Case.of(
            model,
            clean,
            held_out=self.held_out,
            deadline=Deadline(minutes=self.minutes),
            batch_size=self.batch_size,
            seed=self.seed,
        )
        choice = choose(case, Probes.of(case), self.candidates(case), max_drop=self.max_drop)
        network = case.mended(model.get_weights()) if choice.network is None else choice.network
        return RepairResult(
            model=network,
            stages={"repaired": network},
            curve=tuple(
                {"accuracy": one.accuracy, "probe_success": one.probe_success}
                for one in choice.scored
            ),
            choices={
                "max_drop": self.max_drop,
                "images": {"tuning": len(case.tuning), "held_out": len(case.held_out)},
                **choice.choices(),
            },
        )

    @abstractmethod
    def candidates(self, case: Case) -> Iterator[Candidate]:
        """Yield the networks that the repair might come to, the most promising first."""
