"""The sides of a benchmark: each in a process of its own, which waits for its turn.

A benchmark is one script. It starts itself once a side with `--worker NAME --folder DIR`, gives
each side its tasks in turns, and reads the answers: one line of JSON each.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Side:
    """One side, seen from the benchmark.

    Args:
        script: The benchmark; it answers to `--worker` and `--folder`.
        name: Which of its workers this is.
        folder: What the sides share, and where this one puts what it says on stderr.
    """

    def __init__(self, script: str, name: str, folder: Path) -> None:
        self._name, self._log = name, folder / f"{name}.log"
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [sys.executable, script, "--worker", name, "--folder", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def wait(self) -> None:
        """Wait until it is ready for its first task."""
        self._hear()

    def do(self, task: str, **options: Any) -> dict[str, Any]:
        """Return the answer to a task."""
        self._process.stdin.write(json.dumps([task, options]) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def end(self) -> None:
        """Let the process end."""
        self._process.stdin.close()
        self._process.wait()

    def _hear(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            said = self._log.read_text(encoding="utf-8")
            raise SystemExit(f"{said}\nthe side {self._name} ended before its time")
        return json.loads(line)


@contextmanager
def started(script: str, names: Iterable[str], folder: Path) -> Iterator[dict[str, Side]]:
    """Hold sides that are all ready; end them afterwards."""
    sides = {name: Side(script, name, folder) for name in names}
    try:
        for side in sides.values():
            side.wait()
        yield sides
    finally:
        for side in sides.values():
            side.end()


def alone(script: str, name: str, folder: Path, **options: Any) -> dict[str, Any]:
    """Return the answer of a side that has one task, which is called like it."""
    with started(script, [name], folder) as sides:
        return sides[name].do(name, **options)


def serve(worker: Callable[[Path], None], folder: Path) -> None:
    """Be a side."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow")
    worker(folder)


def answer(**tasks: Callable[..., dict[str, Any]]) -> None:
    """Say that this side is ready, then do the tasks that it is given, until there are no more."""
    print("{}", flush=True)
    for line in sys.stdin:
        task, options = json.loads(line)
        print(json.dumps(tasks[task](**options)), flush=True)


def memory_mb(field: str) -> float:
    """Return what Linux says of this process' memory, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def machine() -> str:
    """Return what the figures were measured on."""
    from importlib.metadata import version

    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
    packages = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "numpy"))
    load = os.getloadavg()[0]
    return (
        f"{cpu}, {os.cpu_count()} cores, load {load:.1f};"
        f" Python {platform.python_version()}, {packages}"
    )
