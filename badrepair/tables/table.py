"""A table of text, and how numbers stand in its cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from badrepair.types import Estimate, Rate

NOT_MEASURED = "not measured"
NOT_APPLICABLE = "\N{EN DASH}"
NO_POISONED_SET = "no poisoned set"
INTERVAL = "[low, high] is the 95 % interval."


@dataclass(frozen=True)
class Table:
    """Cells of text under named columns.

    Args:
        title: One line, without a full stop.
        columns: Their names.
        rows: Each as long as `columns`.
        notes: Sentences that stand below the table.
        in_terminal: The same facts in a shape that fits 80 columns, where this one does not.
        apart: Whether rows about different things stand apart in a terminal.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    in_terminal: Table | None = None
    apart: bool = True

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{len(row)} cells under {len(self.columns)} columns: {row}")


def rate_cell(rate: Rate | None) -> str:
    """Return `97.20 % [95.4, 98.4]`, or that nothing was measured."""
    if rate is None:
        return NOT_MEASURED
    return f"{100 * rate.value:.2f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def estimate_cell(estimate: Estimate | None) -> str:
    """Return `0.912 [0.870, 0.950]`, or that nothing was measured."""
    if estimate is None:
        return NOT_MEASURED
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
