"""Run tasks on a Ray cluster, whose nodes share no disk.

Moritz et al., "Ray: A Distributed Framework for Emerging AI Applications", OSDI 2018,
arXiv:1712.05889.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

from badrepair.bench import parcels
from badrepair.bench.engines import ENVIRONMENT, TimedOut, carry_out, nothing
from badrepair.errors import OptionError, ResourceError, require_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType, TracebackType

Value = TypeVar("Value")

# A node that is lost is not the fault of the tasks on it; a task that ends three workers is odd.
RETRIES = 3
CONNECT_SECONDS = 5.0
# Ray keeps processes of different environments apart.
_OWN_PROCESS = {**ENVIRONMENT, "BADREPAIR_OWN_PROCESS": "1"}


class RayEngine:
    """Runs each task on one core of a cluster that is there already.

    Tasks of a node that is lost are run again on another one.

    Args:
        address: Of the cluster's head, `HOST:PORT`, or "auto" for that of this machine.
        start: Called once in a process, before its first task; one that it can import.

    Raises:
        OptionError: ExtraMissing: Ray is not installed. OptionInvalid: the address is none.
        ResourceError: ClusterMissing: there is no cluster at the address.
    """

    def __init__(self, address: str = "auto", *, start: Callable[[], object] = nothing) -> None:
        self._ray = _imported()
        self._begin_with = start
        place = _place(address)
        try:
            if place is not None:
                # Ray would try for minutes.
                socket.create_connection(place, CONNECT_SECONDS).close()
            with _sigterm_kept():
                self._ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ValueError, RuntimeError, OSError) as error:
            problem = f"expected a Ray cluster, found none: {' '.join(str(error).split())[:200]}"
            hint = "give the HOST:PORT that `ray start --head` told"
            raise ResourceError("ClusterMissing", address, problem, hint) from error
        self._task = self._ray.remote(_on_a_node).options(
            num_cpus=1, max_retries=RETRIES, runtime_env={"env_vars": ENVIRONMENT}
        )
        self._own_process = self._ray.remote(max_calls=1)(_on_a_node).options(
            num_cpus=1, max_retries=RETRIES, runtime_env={"env_vars": _OWN_PROCESS}
        )

    @property
    def workers(self) -> int:
        """Return how many cores the cluster has now."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def submit(
        self,
        function: Callable[..., Value],
        *arguments: Any,
        own_process: bool = False,
        minutes: float | None = None,
    ) -> Future[Value]:
        """Begin a task; see `Engine`. Its minutes begin now, also if the cluster is busy."""
        future: Future[Value] = Future()
        task = self._own_process if own_process else self._task
        reference = task.remote(self._begin_with, function, *arguments)
        limit = None if minutes is None else self._limit(reference, minutes)
        reference.future().add_done_callback(lambda done: self._pass_on(done, future, limit))
        return future

    def parcel(self, folder: Path) -> Any:
        """Return a reference to the content of the folder's files, which travels once a node."""
        return self._ray.put(parcels.files_of(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ray.shutdown()

    def _limit(self, reference: Any, minutes: float) -> _Limit:
        """Let a task (Any: Ray's own) be ended after so many minutes."""
        limit = _Limit(minutes, lambda: self._ray.cancel(reference, force=True))
        limit.start()
        return limit

    def _pass_on(self, done: Future[Value], future: Future[Value], limit: _Limit | None) -> None:
        """Tell the end of Ray's future to ours: what Ray itself says of a task is its death."""
        error = done.exception()
        if limit is not None:
            limit.cancel()
        if error is None:
            future.set_result(done.result())
        elif isinstance(error, self._ray.exceptions.RayTaskError):
            future.set_exception(getattr(error, "cause", None) or error)
        elif limit is not None and limit.is_over:
            future.set_exception(TimedOut(limit.minutes))
        else:
            future.set_exception(BrokenExecutor(f"the task was lost: {type(error).__name__}"))


class _Limit(threading.Timer):
    """Ends a task that takes too long, and tells whether it did."""

    def __init__(self, minutes: float, end: Callable[[], object]) -> None:
        super().__init__(min(60 * minutes, threading.TIMEOUT_MAX), self._end)
        self.daemon = True
        self.minutes, self.is_over = minutes, False
        self._end_task = end

    def _end(self) -> None:
        self.is_over = True
        self._end_task()


def _on_a_node(
    start: Callable[[], object], function: Callable[..., Value], *arguments: Any
) -> Value:
    """Carry out a task; SIGTERM, with which a node ends, is no error of it.

    Ray raises SystemExit at that signal, and the task would fail rather than be run elsewhere.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return carry_out(start, function, *arguments)


def _imported() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        problem = "expected Ray, which runs tasks on a cluster, found it not installed"
        hint = "pip install 'badrepair[ray]'"
        raise OptionError("ExtraMissing", "ray", problem, hint) from error
    module: ModuleType = ray
    return module


def _place(address: str) -> tuple[str, int] | None:
    """Return the host and the port of an address; None for the cluster of this machine."""
    if address == "auto":
        return None
    host, _, port = address.rpartition(":")
    # 65535 is the last port.
    whole = bool(host) and port.isascii() and port.isdecimal() and int(port[:6]) <= 65535
    require_option("--address", whole, "HOST:PORT, such as 127.0.0.1:6379", address)
    return host, int(port)


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Give SIGTERM back to who had it: Ray takes it, and the run may have its own way to end."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread() and before is not None:
        signal.signal(signal.SIGTERM, before)
