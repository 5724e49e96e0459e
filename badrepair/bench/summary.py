"""What all cells of a grid come to: a result a setting and defence, and how defences stand."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from itertools import product
from typing import TYPE_CHECKING

from badrepair.bench.line import NONE, Cell
from badrepair.bench.measure import setting_of
from badrepair.bench.result import DROP_ABOVE, WORKS_ABOVE
from badrepair.bench.standing import Scope
from badrepair.bench.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from badrepair.bench.line import Line
    from badrepair.bench.measure import Setting
    from badrepair.bench.result import Result
    from badrepair.bench.standing import Standing


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What all cells come to.

    Args:
        cells: All cells, those too that are missing.
        defenses: Their labels, `NONE` first.
        scopes: The parts of the grid that standings are about, the whole first.
        results: One a setting and defence, clean controls included.
        standings: One a scope and defence; those of a scope from the best place to the worst.
        failures: The lines of the cells that failed.
        works_above: Mean attack success above which an attack works, or is left.
        drop_above: Loss of clean accuracy above which an attack is said to lower it.
    """

    cells: tuple[Cell, ...]
    defenses: tuple[str, ...]
    scopes: tuple[Scope, ...]
    results: tuple[Result, ...]
    standings: tuple[Standing, ...]
    failures: tuple[Line, ...]
    works_above: float = WORKS_ABOVE
    drop_above: float = DROP_ABOVE

    @property
    def done(self) -> int:
        """Return how many cells have a result."""
        return sum(result.done for result in self.results)

    def within(self, scope: Scope) -> tuple[Standing, ...]:
        """Return the standings in a part of the grid, from the best place to the worst."""
        return tuple(one for one in self.standings if one.scope == scope)

    def lowering(self) -> dict[Setting, float]:
        """Return the settings whose attack lowers clean accuracy and by how much, most first."""
        drops = {
            one.setting: one.accuracy_drop
            for one in self.results
            if one.accuracy_drop is not None and one.lowers_accuracy
        }
        return dict(sorted(drops.items(), key=lambda one: -one[1]))

    def attacked(self, scope: Scope | None = None) -> tuple[Setting, ...]:
        """Return the settings with an attack in a part of the grid, or in all of it."""
        scope = scope or Scope()
        cells = [cell for cell in self.cells if not cell.control and scope.holds(cell)]
        return tuple(dict.fromkeys(map(setting_of, cells)))


def summarise(lines: Sequence[Line], planned: Sequence[Cell] = ()) -> Summary:
    """Return what the lines of a grid come to, whatever their order.

    Args:
        lines: One a cell; of several about the same cell, the last counts.
        planned: All cells of the grid, in its order; lines about others are left out. Where it is
            empty, every defence is expected for every setting and seed that a line is about.
    """
    latest = {line.cell: line for line in lines}
    cells = tuple(dict.fromkeys(planned)) or _expected(latest)
    kept = {cell: latest[cell] for cell in cells if cell in latest}
    defenses = sorted(dict.fromkeys(cell.defense for cell in cells), key=lambda one: one != NONE)
    tally = Tally(cells, kept)
    results, scopes = tally.results(), _scopes(cells)
    standings = [
        one
        for scope in scopes
        for one in sorted(
            (tally.standing(scope, defense, results) for defense in defenses),
            key=lambda standing: standing.place,
        )
    ]
    return Summary(
        cells=cells,
        defenses=tuple(defenses),
        scopes=scopes,
        results=results,
        standings=tuple(standings),
        failures=tuple(line for line in kept.values() if line.status == "failed"),
    )


def _expected(found: Iterable[Cell]) -> tuple[Cell, ...]:
    """Return every defence for every setting and seed of some cells, in alphabetical order."""
    known = sorted(found, key=astuple)
    settings = dict.fromkeys(map(setting_of, known))
    defenses = dict.fromkeys(cell.defense for cell in known)
    seeds = sorted({cell.seed for cell in known})
    return tuple(
        Cell(**setting._asdict(), defense=defense, seed=seed)
        for setting, defense, seed in product(settings, defenses, seeds)
    )


def _scopes(cells: Sequence[Cell]) -> tuple[Scope, ...]:
    """Return the whole grid, each network in it, and of all these each poison rate."""
    networks = list(dict.fromkeys((cell.data, cell.architecture) for cell in cells))
    rates = sorted({cell.poison_rate for cell in cells if not cell.control})
    places = networks if len(networks) == 1 else [(None, None), *networks]
    chosen = [None] if len(rates) < 2 else [None, *rates]
    return tuple(Scope(*place, rate) for place, rate in product(places, chosen))
