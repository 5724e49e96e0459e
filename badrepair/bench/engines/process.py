"""A worker process: it takes one task after the other, and ends when the run does.

It is a new interpreter and no fork, since TensorFlow does not survive one; and not of
`multiprocessing`, which imports the main module again and lets it decide about the environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import TYPE_CHECKING, Any

from badrepair.bench.engines import ENVIRONMENT, carry_out

if TYPE_CHECKING:
    from collections.abc import Callable

START = (
    "import sys; sys.path[:] = sys.argv[3:]; from badrepair.bench.engines.process import serve;"
    " serve(int(sys.argv[1]), int(sys.argv[2]))"
)
WATCH_SECONDS = 1.0


class WorkerProcess:
    """A process that carries out tasks, one at a time.

    `begun` is how many tasks it has been given; `is_connected` turns false when it has died.

    Args:
        scratch: Folder for its temporary files.
    """

    def __init__(self, scratch: str) -> None:
        self.begun, self.is_connected = 0, True
        self._connection, theirs = Pipe()
        words = [str(theirs.fileno()), str(os.getpid()), *sys.path]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own code
            [sys.executable, "-c", START, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **ENVIRONMENT, "TMPDIR": scratch},
            # Ctrl-C is for the run, which ends its workers itself.
            start_new_session=True,
        )
        theirs.close()

    def ask(
        self, start: Callable[[], object], function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> Any:
        """Return what a task returns (Any, as the function does), or raise what it raises.

        Raises:
            BrokenExecutor: The process died.
        """
        self.begun += 1
        try:
            self._connection.send((start, function, *arguments))
            returned, value = self._connection.recv()
        except (EOFError, OSError) as error:
            self.is_connected = False
            raise BrokenExecutor("the process that ran the task died") from error
        if not returned:
            raise value
        return value

    def kill(self) -> None:
        """End the process at once, whatever it does; who waits for it gets BrokenExecutor."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Forget the process, which nobody waits for."""
        self.kill()
        self._connection.close()


def serve(descriptor: int, parent: int) -> None:
    """Carry out tasks until there are no more.

    Args:
        descriptor: Of the connection to the run.
        parent: Number of the run's process.
    """
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with Connection(descriptor) as connection, suppress(EOFError):
        while True:
            connection.send(_answer(connection))


def _answer(connection: Connection) -> tuple[bool, Any]:
    try:
        return True, carry_out(*connection.recv())
    except EOFError:
        raise
    except Exception as error:
        return False, error


def _end_with(parent: int) -> None:
    """End this process when the run is gone, even in the middle of a task."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(0)
