"""How a defence stands among the others, over all settings in a part of the grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from badrepair.bench.line import Cell, Kind, Line
    from badrepair.bench.measure import Measure
    from badrepair.bench.outcome import Name

# The keys to a defence's place: attacks that it leaves, then attack success, then its name.
Place = tuple[int, float, str]


class Scope(NamedTuple):
    """A part of the grid; None means any.

    Args:
        data: The data set.
        architecture: The network.
        poison_rate: Of the attacks; clean controls belong to every rate.
    """

    data: str | None = None
    architecture: str | None = None
    poison_rate: float | None = None

    def holds(self, cell: Cell) -> bool:
        """Return whether the cell lies in this part."""
        where = (self.data in (None, cell.data), self.architecture in (None, cell.architecture))
        return all(where) and (cell.control or self.poison_rate in (None, cell.poison_rate))


@dataclass(frozen=True, kw_only=True)
class Expense:
    """What the cells of a defence took, those that are done.

    Args:
        seconds: Median and highest processor time.
        peak_mib: Median and highest of most memory in use; None where it is unknown.
    """

    seconds: tuple[float, float]
    peak_mib: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a defence comes to in a part of the grid.

    Args:
        scope: Which part.
        defense: Its label.
        kind: What it is; None where no cell of it was begun.
        planned: Number of cells, clean controls included.
        done: Those with a result.
        failed: Those that ended in an error.
        attacked: Measures over networks with a backdoor.
        working: The same over those settings whose attack works on the undefended network.
        control: The same over clean networks.
        threats: Settings whose attack works on the undefended network.
        left: Those of them whose attack still works.
        unmeasured: Those of them in which nothing was measured.
        unmeasured_failed: Those of these in which a cell failed; in the others all are missing.
        made_to_work: Settings whose attack works with the defence, but not without it.
        expense: What its cells took; None where no cell tells.
    """

    scope: Scope
    defense: str
    kind: Kind | None
    planned: int
    done: int
    failed: int
    attacked: Mapping[Name, Measure]
    working: Mapping[Name, Measure]
    control: Mapping[Name, Measure]
    threats: int
    left: int
    unmeasured: int
    unmeasured_failed: int
    made_to_work: int
    expense: Expense | None

    @property
    def to_rank(self) -> int:
        """Return how many attacks decide about its place: one not measured counts as left."""
        return self.left + self.unmeasured

    @property
    def place(self) -> Place:
        """Return what decides about its place."""
        success = self.attacked.get("attack_success_rate")
        mean = math.inf if success is None else success.mean
        return (self.to_rank, mean, self.defense)


def expense(lines: Sequence[Line]) -> Expense | None:
    """Return what cells took; None if none of them tells."""
    costs = [line.cost for line in lines if line.status == "done" and line.cost is not None]
    if not costs:
        return None
    peaks = [cost.peak_mib for cost in costs if cost.peak_mib is not None]
    seconds = [cost.seconds for cost in costs]
    return Expense(
        seconds=(median(seconds), max(seconds)),
        peak_mib=(median(peaks), max(peaks)) if peaks else None,
    )
