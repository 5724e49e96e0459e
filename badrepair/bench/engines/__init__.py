"""Where the tasks of the bench run: on the cores of this machine, or on those of a Ray cluster.

Every engine gives each task one core and TensorFlow one thread: a result may depend on the number
of threads in the last digit, and many processes of one thread get more done than one of many.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType

Value = TypeVar("Value")

# What a worker's environment holds before anything is imported in it; for Keras see
# `badrepair.starting`, which comes too late where a task is Keras' import.
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.devnull,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
}


class TimedOut(Exception):  # noqa: N818 - its name is the code of a cell
    """A task was ended, since it took longer than it may.

    Args:
        minutes: How long it may take.
    """

    def __init__(self, minutes: float) -> None:
        super().__init__(
            f"it took longer than {minutes:g} minutes; a larger --cell-minutes lets it"
        )


class Engine(Protocol):
    """A context manager; at its end, tasks that still run are ended, too."""

    @property
    def workers(self) -> int:
        """Return how many tasks can run at a time now; a cluster may grow and shrink."""

    def submit(
        self,
        function: Callable[..., Value],
        *arguments: Any,
        own_process: bool = False,
        minutes: float | None = None,
    ) -> Future[Value]:
        """Begin a task.

        Args:
            function: One that a worker can import; it is not sent.
            *arguments: Plain values, and parcels (Any, since functions differ).
            own_process: Whether it runs in a process that runs nothing else, before or after.
            minutes: How long it may take; as long as it does if None.

        Returns:
            What the function will return; BrokenExecutor if its process died, TimedOut if it was
            ended.
        """

    def parcel(self, folder: Path) -> Any:
        """Return an argument of tasks that arrives as a `Parcel` (Any: engines differ)."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def nothing() -> None:
    """Start nothing."""


def carry_out(
    start: Callable[[], object], function: Callable[..., Value], *arguments: Any
) -> Value:
    """Return what a function returns, in a worker; what is to be started there is first.

    A process that the function forked ends here: it would tell the end of the task once more.

    Args:
        start: Called once in a process.
        function: The task.
        *arguments: As in `submit`.
    """
    process = os.getpid()
    try:
        _start(start)
        return function(*arguments)
    finally:
        if os.getpid() != process:
            os._exit(0)


@cache
def _start(start: Callable[[], object]) -> None:
    start()
