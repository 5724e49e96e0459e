"""Run a grid: train each network once, try every defence on it, and lose nothing on the way.

Where a worker dies, its task is run again at the end, when no other one runs: on a full machine
the system ends some process, and not always that which takes too much. One that dies alone, too,
counts as failed.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from badrepair import locking
from badrepair.bench import attempt, parcels
from badrepair.bench.attempt import Attempt, told
from badrepair.bench.ledger import Ledger
from badrepair.bench.schedule import Schedule
from badrepair.bench.ticking import Ticker
from badrepair.bench.written import line_of, under_its_labels
from badrepair.errors import WriteError, require_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from badrepair.bench.engines import Engine
    from badrepair.bench.grid import Cell, Grid, Net
    from badrepair.bench.schedule import Task

    MakeNet = Callable[[Mapping[str, Any], Path], object]
    Measure = Callable[[Mapping[str, Any], Path], Mapping[str, Any]]
    OnLine = Callable[[Mapping[str, Any]], object]

log = logging.getLogger(__name__)

LINES, NETS = "cells.jsonl", "nets"
DIED = "WorkerDied"
_HOW = "the process that ran it died, also when nothing else ran; it may need more memory"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a grid is.

    Args:
        total: Its cells.
        done: Those that have a result.
        failed: Those that ended in an error.
    """

    total: int
    done: int
    failed: int

    @property
    def missing(self) -> int:
        """Return how many have not been run."""
        return self.total - self.done - self.failed


def run(
    grid: Grid,
    folder: Path,
    engine: Engine,
    make_net: MakeNet,
    measure: Measure,
    *,
    budget_minutes: float | None = None,
    cell_minutes: float | None = None,
    retry_failed: bool = False,
    on_line: OnLine | None = None,
    at_end: Callable[[], object] | None = None,
) -> Progress:
    """Run the cells of a grid that have not been run, and return how far it is.

    The lines are in `cells.jsonl`: in the order in which they come while it runs, in that of the
    grid at its end. The networks stay in `nets`.

    Args:
        grid: What to run.
        folder: Where all goes; what is there already is not done again.
        engine: Where the tasks run; it is entered, and left to the caller.
        make_net: Puts the network of a recipe into an empty folder; a worker imports it.
        measure: Returns the results of a job, on the network in a folder, which it leaves as it
            is; a worker imports it. What it raises makes the cell a failed one.
        budget_minutes: No task begins after so many; those that run end.
        cell_minutes: A cell, and the training of a network, fails after so many.
        retry_failed: Run cells again that ended in an error.
        on_line: Called with every line that is written, unless what it raises ends the run.
        at_end: Called when nothing is left or there is no time, while no other run may write.

    Raises:
        LockedError: Another run writes this folder.
        DataError: LedgerInvalid.
        WriteError: The disk takes no more.
    """
    minutes = {"--budget-minutes": budget_minutes, "--cell-minutes": cell_minutes}
    for option, value in minutes.items():
        require_option(option, value is None or value > 0, "a value above 0", value)
    folder.mkdir(parents=True, exist_ok=True)
    with locking.locked([folder / LINES]):
        running = _Run(grid, folder, engine, make_net, measure)
        running.on_line, running.cell_minutes = on_line, cell_minutes
        running.go(budget_minutes, retry_failed=retry_failed)
        if at_end is not None:
            at_end()
        return running.progress()


class _Run:
    def __init__(
        self, grid: Grid, folder: Path, engine: Engine, make_net: MakeNet, measure: Measure
    ) -> None:
        self.on_line: OnLine | None = None
        self.cell_minutes: float | None = None
        self._cells = {cell.key: cell for cell in grid.cells}
        self._nets = folder / NETS
        self._engine, self._make_net, self._measure = engine, make_net, measure
        self._ledger = Ledger(folder / LINES)
        self._ledger.mend()
        self._running: dict[Future[Attempt], tuple[Task, float]] = {}
        self._parcels: dict[str, Any] = {}  # an engine's own (Any); of networks in use

    def go(self, budget_minutes: float | None, *, retry_failed: bool) -> None:
        """Run what is left, until there is nothing or no time."""
        end = None if budget_minutes is None else time.monotonic() + 60 * budget_minutes
        left = [cell for cell in self._cells.values() if self._is_left(cell, retry_failed)]
        there = {cell.net.key for cell in left if (self._nets / cell.net.key).is_dir()}
        self._schedule = Schedule(left, there)
        self._measured = Ticker("measuring cells", len(left))
        self._trained = Ticker("training networks", len(self._schedule.untrained))
        try:
            self._begin(end)
            while self._running:
                self._take_in(wait(self._running, return_when=FIRST_COMPLETED).done)
                self._begin(end)
        except BaseException as stop:
            stop.add_note("cells measured before it are kept, and the same command goes on")
            self._keep_finished()
            raise
        finally:
            self._trained.close()
            self._measured.close()
        self._arrange()

    def progress(self) -> Progress:
        """Return how far the grid is."""
        status = [
            line.get("status") for key, line in self._ledger.lines.items() if key in self._cells
        ]
        return Progress(
            total=len(self._cells), done=status.count("done"), failed=status.count("failed")
        )

    def _is_left(self, cell: Cell, retry_failed: bool) -> bool:
        line = self._ledger.lines.get(cell.key)
        return line is None or (retry_failed and line.get("status") == "failed")

    def _begin(self, end: float | None) -> None:
        """Begin as many tasks as there are workers, while there is time."""
        while len(self._running) < self._engine.workers:
            if end is not None and time.monotonic() >= end:
                return
            task = self._schedule.next(idle=not self._running)
            if task is None:
                return
            self._running[self._submitted(task)] = (task, time.perf_counter())

    def _submitted(self, task: Task) -> Future[Attempt]:
        if task.cell is None:
            log.info("training %s", task.net.key)
            words: tuple[Any, ...] = (attempt.train, self._make_net, dict(task.net.recipe))
        else:
            parcel = self._parcel(task.net)
            words = (attempt.measure_cell, self._measure, task.cell.job, parcel)
        return self._engine.submit(*words, own_process=task.is_foreign, minutes=self.cell_minutes)

    def _parcel(self, net: Net) -> Any:
        """Return a network as it travels (Any: engines differ); those no longer used are let go."""
        used = {task.net.key for task, _ in self._running.values()} | {net.key}
        self._parcels = {key: one for key, one in self._parcels.items() if key in used}
        if net.key not in self._parcels:
            self._parcels[net.key] = self._engine.parcel(self._nets / net.key)
        return self._parcels[net.key]

    def _take_in(self, ended: set[Future[Attempt]]) -> None:
        for future in ended:
            task, begun = self._running.pop(future)
            error = future.exception()
            if isinstance(error, BrokenExecutor) and not task.alone:
                self._schedule.again(task)
                continue
            seconds = time.perf_counter() - begun
            found = future.result() if error is None else _failed(error, seconds)
            if task.cell is None:
                self._take_in_net(task.net, found)
            else:
                self._write(task.cell, found)

    def _keep_finished(self) -> None:
        """Write what is finished, whatever stopped the run; nobody is told of it any more."""
        self.on_line = None
        # A disk that is full may be what stopped it.
        with suppress(WriteError):
            self._take_in({future for future in self._running if future.done()})

    def _take_in_net(self, net: Net, found: Attempt) -> None:
        """Store a network, or tell of its cells that it could not be made."""
        self._trained.tick()
        if found.code is None:
            parcels.publish(found.value, self._nets / net.key)
            self._schedule.net_is_there(net)
            return
        nothing = Attempt(code=found.code, message=found.message, seconds=0.0, peak_mib=None)
        for cell in self._schedule.without_net(net):
            self._write(cell, nothing)

    def _write(self, cell: Cell, found: Attempt) -> None:
        line = line_of(cell, found)
        self._ledger.append(line)
        self._measured.tick()
        if self.on_line is not None:
            self.on_line(line)

    def _arrange(self) -> None:
        """Put the lines into the grid's order, under the labels that it gives them now."""
        stored = self._ledger.lines
        self._ledger.arrange(
            under_its_labels(stored[key], cell)
            for key, cell in self._cells.items()
            if key in stored
        )


def _failed(error: BaseException, seconds: float) -> Attempt:
    """Return how a task ended that came to no attempt."""
    code, message = (DIED, _HOW) if isinstance(error, BrokenExecutor) else told(error)
    return Attempt(code=code, message=message, seconds=seconds, peak_mib=None)
