"""A worker process: it takes one task after the other, and ends when the run does.

It is a new interpreter and no fork, since TensorFlow does not survive one; and not of
`multiprocessing`, which imports the main module again and lets it decide about the environment.
It leads a process group: what its tasks start ends with it.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

from badrepair.bench.engines import ENVIRONMENT, TimedOut, carry_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START = (
    "import sys; sys.path[:] = sys.argv[3:]; from badrepair.bench.engines.process import serve;"
    " serve(int(sys.argv[1]), int(sys.argv[2]))"
)
WATCH_SECONDS = 1.0
# The longest time that the system can be asked to wait is a few days.
_HOUR_SECONDS = 3600.0


class WorkerProcess:
    """A process that carries out tasks, one at a time.

    `begun` is how many tasks it has been given; `is_connected` turns false when it has died.

    Args:
        scratch: Folder for its temporary files.
    """

    def __init__(self, scratch: Path) -> None:
        self.begun, self.is_connected = 0, True
        self._connection, theirs = Pipe()
        words = [str(theirs.fileno()), str(os.getpid()), *sys.path]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own code
            [sys.executable, "-c", START, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **ENVIRONMENT, "TMPDIR": str(scratch)},
            # Ctrl-C is for the run, which ends its workers itself.
            start_new_session=True,
        )
        theirs.close()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def ask(
        self,
        start: Callable[[], object],
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        minutes: float | None = None,
    ) -> Any:
        """Return what a task returns (Any, as the function does), or raise what it raises.

        Raises:
            BrokenExecutor: The process died.
            TimedOut: It took longer than it may; the process is of no more use.
        """
        self.begun += 1
        try:
            self._connection.send((start, function, *arguments))
            returned, value = self._answer(minutes)
        except TimedOut:
            self.is_connected = False
            raise
        except (EOFError, OSError) as error:
            self.is_connected = False
            raise BrokenExecutor("the process that ran the task died") from error
        if not returned:
            raise value
        return value

    def kill(self) -> None:
        """End the process at once, whatever it does; who waits for it gets BrokenExecutor."""
        self._process.kill()
        self._watcher.join()

    def close(self) -> None:
        """Forget the process, which nobody waits for."""
        self.kill()
        self._connection.close()

    def _answer(self, minutes: float | None) -> tuple[bool, Any]:
        """Return the answer to the last task; one to another task is none."""
        end = math.inf if minutes is None else time.monotonic() + 60 * minutes
        while True:
            while not self._connection.poll(min(_HOUR_SECONDS, end - time.monotonic())):
                if minutes is not None and time.monotonic() >= end:
                    raise TimedOut(minutes)
            number, returned, value = self._connection.recv()
            if number == self.begun:
                return returned, value

    def _watch(self) -> None:
        """When the process ends, end what it has left, and wake who waits for its answer.

        What it forked may hold the other end of the connection, so that its death says nothing.
        """
        self._process.wait()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with socket.socket(fileno=os.dup(self._connection.fileno())) as end, suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def serve(descriptor: int, parent: int) -> None:
    """Carry out tasks until there are no more; each answer has the number of its task.

    Args:
        descriptor: Of the connection to the run.
        parent: Number of the run's process.
    """
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with Connection(descriptor) as connection, suppress(EOFError):
        for number in count(1):
            returned, value = _answer(connection.recv_bytes())
            try:
                connection.send((number, returned, value))
            except OSError:
                raise
            # What cannot be pickled is not even begun to be sent.
            except Exception as error:
                problem = f"a {type(value).__name__} cannot be sent: {type(error).__name__}"
                connection.send((number, False, TypeError(problem)))


def _answer(task: bytes) -> tuple[bool, Any]:
    try:
        return True, carry_out(*ForkingPickler.loads(task))
    except Exception as error:
        return False, error


def _end_with(parent: int) -> None:
    """End this process and what it started when the run is gone, even in the middle of a task."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    with suppress(OSError):
        os.killpg(0, signal.SIGKILL)
    os._exit(0)
