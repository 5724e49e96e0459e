"""Run tasks on this machine: one process a core."""

from __future__ import annotations

import os
import threading
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self, TypeVar

from badrepair.bench.engines import nothing
from badrepair.bench.engines.process import WorkerProcess
from badrepair.bench.engines.scratch import scratch
from badrepair.errors import require_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

Value = TypeVar("Value")

# TensorFlow keeps memory of every network that it has seen.
TASKS_A_PROCESS = 32


class LocalEngine:
    """Runs each task in one of several processes, which end with the engine.

    A process that dies takes its own task with it and no other.

    Args:
        workers: How many processes; one for each core that this process may use if None.
        start: Called once in a process, before its first task; one that it can import.
    """

    def __init__(
        self, workers: int | None = None, *, start: Callable[[], object] = nothing
    ) -> None:
        require_option(
            "--workers", workers is None or workers >= 1, "a value of 1 or more", workers
        )
        self.workers = workers or usable_cores()
        self._begin_with = start
        self._threads = ThreadPoolExecutor(self.workers)
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._ending = False

    def submit(
        self,
        function: Callable[..., Value],
        *arguments: Any,
        own_process: bool = False,
        minutes: float | None = None,
    ) -> Future[Value]:
        """Begin a task; see `Engine`."""

        def carry_out() -> Value:
            process = self._taken(new=own_process)
            try:
                value: Value = process.ask(self._begin_with, function, arguments, minutes)
            finally:
                self._put_back(process, usable=not own_process)
            return value

        return self._threads.submit(carry_out)

    def parcel(self, folder: Path) -> Path:
        """Return the folder, which every process sees."""
        return folder

    def __enter__(self) -> Self:
        self._scratch = self._stack.enter_context(scratch())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._ending = True
            for process in self._busy:
                process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._idle:
            process.close()
        self._stack.close()

    def _taken(self, *, new: bool) -> WorkerProcess:
        with self._lock:
            if self._ending:
                raise BrokenExecutor("the engine has ended")
            process = self._made() if new or not self._idle else self._idle.pop()
            self._busy.add(process)
            return process

    def _made(self) -> WorkerProcess:
        """Return a new process, and let another one go if there would be more than workers."""
        if self._idle and len(self._idle) + len(self._busy) >= self.workers:
            self._idle.pop().close()
        return WorkerProcess(self._scratch)

    def _put_back(self, process: WorkerProcess, *, usable: bool) -> None:
        usable = usable and process.is_connected and process.begun < TASKS_A_PROCESS
        with self._lock:
            self._busy.discard(process)
            if usable:
                self._idle.append(process)
        if not usable:
            process.close()


def usable_cores() -> int:
    """Return on how many cores this process may run."""
    # Only Linux tells what a process may use.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
