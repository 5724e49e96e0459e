"""Count and average the cells of a grid, by setting and by part of the grid."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING

from badrepair.bench.line import NONE
from badrepair.bench.measure import measure, setting_of
from badrepair.bench.outcome import NAMES, outcome, undefended_accuracy, undefended_success
from badrepair.bench.result import Result
from badrepair.bench.standing import Standing, expense

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from badrepair.bench.line import Before, Cell, Kind, Line
    from badrepair.bench.measure import Measure, Setting
    from badrepair.bench.outcome import Name
    from badrepair.bench.standing import Scope


@dataclass(frozen=True)
class Tally:
    """The cells of a grid and the lines about them.

    Args:
        cells: All cells, each once, in the order of the report.
        lines: What is known of them; a cell without a line is missing.
    """

    cells: tuple[Cell, ...]
    lines: Mapping[Cell, Line]

    @cached_property
    def undefended(self) -> Mapping[Setting, float]:
        """Return the mean attack success on the networks as they are, by setting."""
        return self._of_networks(undefended_success)

    @cached_property
    def accuracy_drops(self) -> Mapping[Setting, float]:
        """Return how far the mean clean accuracy lies below that of the clean control.

        A setting of which either is unknown is left out.
        """
        accuracies = self._of_networks(undefended_accuracy)
        controls = {one[:2]: found for one, found in accuracies.items() if one.attack == NONE}
        return {
            one: controls[one[:2]] - found
            for one, found in accuracies.items()
            if one.attack != NONE and one[:2] in controls
        }

    def _of_networks(
        self, read: Callable[[Before | None], float | None]
    ) -> Mapping[Setting, float]:
        """Return the mean over seeds of a number of the networks as they are, by setting.

        Every cell of a network says it, so that it is known before the cell without a defence
        is done.
        """
        nets: dict[tuple[Setting, int], float] = {}
        for cell in self.cells:
            line = self.lines.get(cell)
            value = read(line.before) if line else None
            if value is not None:
                nets.setdefault((setting_of(cell), cell.seed), value)
        seeds: defaultdict[Setting, list[float]] = defaultdict(list)
        for (setting, _), value in nets.items():
            seeds[setting].append(value)
        return {setting: fmean(found) for setting, found in seeds.items()}

    @cached_property
    def _outcomes(self) -> Mapping[Cell, Mapping[Name, float]]:
        return {cell: outcome(line) for cell, line in self.lines.items()}

    def results(self) -> tuple[Result, ...]:
        """Return one result a setting and defence, in the order of the cells."""
        seeds: defaultdict[tuple[Setting, str], list[Cell]] = defaultdict(list)
        for cell in self.cells:
            seeds[setting_of(cell), cell.defense].append(cell)
        return tuple(
            Result(
                setting=setting,
                defense=defense,
                kind=self._kind(cells),
                planned=len(cells),
                done=self._ended(cells, "done"),
                failed=self._ended(cells, "failed"),
                undefended=self.undefended.get(setting),
                accuracy_drop=self.accuracy_drops.get(setting),
                measures=self._measures(cells),
            )
            for (setting, defense), cells in seeds.items()
        )

    def standing(self, scope: Scope, defense: str, results: Sequence[Result]) -> Standing:
        """Return what a defence comes to in a part of the grid.

        Args:
            scope: Which part.
            defense: Its label.
            results: All of `results()`.
        """
        cells = [cell for cell in self.cells if cell.defense == defense and scope.holds(cell)]
        attacked = [cell for cell in cells if not cell.control]
        settings = {setting_of(cell) for cell in attacked}
        found = [one for one in results if one.defense == defense and one.setting in settings]
        threats = [one for one in found if one.works]
        unmeasured = [one for one in threats if one.left is None]
        working = {one.setting for one in threats}
        return Standing(
            scope=scope,
            defense=defense,
            kind=self._kind(cells),
            planned=len(cells),
            done=self._ended(cells, "done"),
            failed=self._ended(cells, "failed"),
            attacked=self._measures(attacked),
            working=self._measures([cell for cell in attacked if setting_of(cell) in working]),
            control=self._measures([cell for cell in cells if cell.control]),
            threats=len(threats),
            left=sum(one.left is True for one in threats),
            unmeasured=len(unmeasured),
            unmeasured_failed=sum(one.failed > 0 for one in unmeasured),
            made_to_work=sum(one.made_to_work for one in found),
            expense=expense([self.lines[cell] for cell in cells if cell in self.lines]),
        )

    def _ended(self, cells: Sequence[Cell], status: str) -> int:
        return sum(cell in self.lines and self.lines[cell].status == status for cell in cells)

    def _kind(self, cells: Sequence[Cell]) -> Kind | None:
        kinds = (self.lines[cell].kind for cell in cells if cell in self.lines)
        return next((kind for kind in kinds if kind is not None), None)

    def _measures(self, cells: Sequence[Cell]) -> Mapping[Name, Measure]:
        """Return what was measured in cells; a measure that none of them has is left out."""
        found: dict[Name, Measure] = {}
        for name in NAMES:
            values = [
                (cell, self._outcomes[cell][name])
                for cell in cells
                if name in self._outcomes.get(cell, {})
            ]
            if (made := measure(values)) is not None:
                found[name] = made
        return found
