"""What was run in a bench, in numbers and names for the paragraph that a report starts with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from badrepair.bench.measure import setting_of
from badrepair.tables.bench_cells import network_name, rate_name
from badrepair.tables.bench_notes import lowered_accuracy, never_worked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from badrepair.bench.line import Line
    from badrepair.bench.summary import Summary


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was run.

    Args:
        networks: Data and architecture of each kind of network.
        attacks: Their names.
        rates: The poison rates.
        seeds: How many.
        defenses: How many, without the row that has none.
        nets: How many networks were to be trained.
        controls: How many of these nobody attacked.
        planned: How many cells there are.
        done: How many of these have a result.
        failed: How many ended in an error.
        settings: How many attacks, at a rate and on a kind of network, there are.
        working: How many of these work on the undefended network.
        idle: Those that do not work; a setting of which nothing is known is in neither.
        lowering: Those that lower clean accuracy, each with by how much; where there is no clean
            control yet, nothing is known.
        images: Fewest and most clean test images behind an accuracy; None where none was measured.
    """

    networks: tuple[str, ...]
    attacks: tuple[str, ...]
    rates: tuple[str, ...]
    seeds: int
    defenses: int
    nets: int
    controls: int
    planned: int
    done: int
    failed: int
    settings: int
    working: int
    idle: tuple[str, ...]
    lowering: tuple[str, ...]
    images: tuple[int, int] | None

    @property
    def missing(self) -> int:
        """Return how many cells have neither a result nor an error."""
        return self.planned - self.done - self.failed


def facts(summary: Summary, lines: Sequence[Line]) -> Facts:
    """Return what was run.

    Args:
        summary: What the lines come to.
        lines: Those that it was made of.
    """
    cells = summary.cells
    nets = {(setting_of(cell), cell.seed): cell.control for cell in cells}
    attacked = summary.attacked()
    working = {one.setting for one in summary.results if one.works and not one.control}
    tested = [line.before.accuracy.n for line in lines if line.before is not None]
    return Facts(
        networks=_once(network_name(cell) for cell in cells),
        attacks=_once(setting.attack for setting in attacked),
        rates=tuple(map(rate_name, sorted({setting.poison_rate for setting in attacked}))),
        seeds=len({cell.seed for cell in cells}),
        defenses=len(summary.defenses[1:]),
        nets=len(nets),
        controls=sum(nets.values()),
        planned=len(cells),
        done=summary.done,
        failed=len(summary.failures),
        settings=len(attacked),
        working=len(working),
        idle=tuple(never_worked(summary, summary.scopes[0])),
        lowering=tuple(lowered_accuracy(summary, summary.scopes[0])),
        images=(min(tested), max(tested)) if tested else None,
    )


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
