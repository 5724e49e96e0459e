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
from badrepair.bench.engines import ENVIRONMENT, carry_out, nothing
from badrepair.errors import OptionError, ResourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType, TracebackType

Value = TypeVar("Value")

# A node that is lost is not the fault of the tasks on it; a task that ends three workers is odd.
RETRIES = 3
CONNECT_SECONDS = 5.0


class RayEngine:
    """Runs each task on one core of a cluster that is there already.

    Tasks of a node that is lost are run again on another one.

    Args:
        address: Of the cluster's head, `HOST:PORT`, or "auto" for that of this machine.
        start: Called once in a process, before its first task; one that it can import.

    Raises:
        OptionError: ExtraMissing: Ray is not installed.
        ResourceError: ClusterMissing: there is no cluster at the address.
    """

    def __init__(self, address: str = "auto", *, start: Callable[[], object] = nothing) -> None:
        self._ray = _imported()
        self._begin_with = start
        try:
            _require_reachable(address)
            with _sigterm_kept():
                self._ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ValueError, RuntimeError, OSError) as error:
            problem = f"expected a Ray cluster, found none: {' '.join(str(error).split())[:200]}"
            hint = "give the HOST:PORT that `ray start --head` told"
            raise ResourceError("ClusterMissing", address, problem, hint) from error
        self._task = self._ray.remote(carry_out).options(
            num_cpus=1, max_retries=RETRIES, runtime_env={"env_vars": ENVIRONMENT}
        )

    @property
    def workers(self) -> int:
        """Return how many cores the cluster has now."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def submit(self, function: Callable[..., Value], *arguments: Any) -> Future[Value]:
        """Begin a task; see `Engine`."""
        future: Future[Value] = Future()
        reference = self._task.remote(self._begin_with, function, *arguments)
        reference.future().add_done_callback(lambda done: self._pass_on(done, future))
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

    def _pass_on(self, done: Future[Value], future: Future[Value]) -> None:
        """Tell the end of Ray's future to ours: what Ray itself says of a task is its death."""
        error = done.exception()
        exceptions = self._ray.exceptions
        if error is None:
            future.set_result(done.result())
        elif isinstance(error, exceptions.RayTaskError):
            future.set_exception(error)
        else:
            future.set_exception(BrokenExecutor(f"the task was lost: {type(error).__name__}"))


def _imported() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        problem = "expected Ray, which runs tasks on a cluster, found it not installed"
        hint = "pip install 'badrepair[ray]'"
        raise OptionError("ExtraMissing", "ray", problem, hint) from error
    module: ModuleType = ray
    return module


def _require_reachable(address: str) -> None:
    """Raise OSError or ValueError if nobody listens there: Ray would try for minutes."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Give SIGTERM back to who had it: Ray takes it, and the run may have its own way to end."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread() and before is not None:
        signal.signal(signal.SIGTERM, before)
