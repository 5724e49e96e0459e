"""The confined process: it takes one open file, answers questions about it, and can do no more.

`process` starts it with `python -I` and an empty environment. Its input and output are pipes with
frames; it ends when either closes.
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from badrepair.confinement import wire
from badrepair.confinement.landlock import restrict
from badrepair.errors import BadrepairError, ResourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

INPUT, OUTPUT = 0, 1
MEMORY_BYTES = 2 * 2**30
OPEN_FILES = 32
# Where the system's own libraries are.
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
# Of computing, for one question: a small file that takes long makes its reader run in circles.
CPU_SECONDS = 60
LEAST_CPU_SECONDS = 3
BYTES_A_CPU_SECOND = 2 * 2**20


class Reader(Protocol):
    """What reads in confinement.

    Args:
        descriptor: Of the open file.
        where: What to call the file in errors.
    """

    def __init__(self, descriptor: int, where: str) -> None: ...

    def answer(self, question: Mapping[str, Any]) -> tuple[Any, bytes | memoryview]:
        """Return what JSON can say (Any), and plain bytes."""


def main(descriptor: int, where: str, module: str, name: str) -> None:
    """Answer questions until there are no more.

    Args:
        descriptor: Of the open file.
        where: What to call the file in errors.
        module: Where the reader is.
        name: Its class.
    """
    kind: type[Reader] = getattr(import_module(module), name)
    restrict({sys.prefix, sys.base_prefix, *(path for path in sys.path if path), *LIBRARIES})
    _limit()
    seconds = LEAST_CPU_SECONDS + os.fstat(descriptor).st_size // BYTES_A_CPU_SECOND
    reader: Reader | None = None
    with suppress(wire.WireError, BrokenPipeError):
        while True:
            question, _ = wire.receive(INPUT)
            _grant_time(min(seconds, CPU_SECONDS))
            try:
                reader = reader or kind(descriptor, where)
                value, content = reader.answer(question)
                reply = {"answer": value}
            except MemoryError:
                reply, content = _told(_exhausted(where)), b""
            except BadrepairError as error:
                reply, content = _told(error), b""
            wire.send(OUTPUT, reply, content)


def _told(error: BadrepairError) -> dict[str, Any]:
    words = [error.code, error.where, error.problem, error.hint]
    return {"error": type(error).__name__, "words": words}


def _exhausted(where: str) -> ResourceError:
    limit = f"{MEMORY_BYTES // 2**30} GiB of memory"
    return ResourceError("OutOfMemory", where, f"reading it takes more than {limit}")


def _limit() -> None:
    """Take from this process what it does not need; there is no way back."""
    _set(resource.RLIMIT_AS, MEMORY_BYTES)
    _set(resource.RLIMIT_NOFILE, OPEN_FILES)
    _set(resource.RLIMIT_FSIZE, 0)
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_NPROC, 0)


def _set(limit: int, value: int) -> None:
    with suppress(OSError, ValueError):  # one that this system does not know
        resource.setrlimit(limit, (value, value))


def _grant_time(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + seconds
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (until, hard))
