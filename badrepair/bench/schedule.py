"""Which task of a grid is next: networks in order, and the cells of each as soon as it is there."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from badrepair import registry
from badrepair.bench import line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from badrepair.bench.grid import Cell, Net


@dataclass(frozen=True, kw_only=True)
class Task:
    """What one worker does at a time.

    Args:
        net: The network that it is about.
        cell: The cell to measure; None if the network is to be trained.
        alone: Whether a worker died of it before, so that it runs when nothing else does.
    """

    net: Net
    cell: Cell | None = None
    alone: bool = False

    @property
    def is_foreign(self) -> bool:
        """Return whether it runs code that is not ours: it may change what its process does."""
        kind: registry.Kind = "attacks" if self.cell is None else "defenses"
        if self.cell is None:
            method, source = self.net.recipe["attack"], self.net.recipe["source"]
        else:
            method, source = self.cell.defense.method, self.cell.defense.source
        return source is not None or method not in (line.NONE, *registry.names(kind))


class Schedule:
    """The tasks that are left.

    Args:
        cells: What is to be measured, those of a network together.
        trained: Keys of the networks that are there.
    """

    def __init__(self, cells: Iterable[Cell], trained: Collection[str]) -> None:
        self._waiting: defaultdict[str, list[Cell]] = defaultdict(list)
        self._ready: deque[Task] = deque()
        self._alone: deque[Task] = deque()
        nets: dict[str, Net] = {}
        for cell in cells:
            nets[cell.net.key] = cell.net
            self._waiting[cell.net.key].append(cell)
        self.untrained = [net for key, net in nets.items() if key not in trained]
        for key, net in nets.items():
            if key in trained:
                self._ready.extend(self._cells_of(net))
            else:
                self._ready.append(Task(net=net))

    def next(self, *, idle: bool) -> Task | None:
        """Take the next task; None if there is none that can begin now.

        Args:
            idle: Whether nothing runs.
        """
        if self._ready:
            return self._ready.popleft()
        return self._alone.popleft() if self._alone and idle else None

    def net_is_there(self, net: Net) -> None:
        """Let the cells of a network that has been trained be next."""
        self._ready.extendleft(reversed(self._cells_of(net)))

    def without_net(self, net: Net) -> list[Cell]:
        """Return the cells of a network that will not be there; they are not run."""
        return self._waiting.pop(net.key)

    def again(self, task: Task) -> None:
        """Run a task once more when nothing else runs."""
        self._alone.append(Task(net=task.net, cell=task.cell, alone=True))

    def _cells_of(self, net: Net) -> list[Task]:
        return [Task(net=net, cell=cell) for cell in self._waiting.pop(net.key)]
