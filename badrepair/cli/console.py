"""What the command shows: data on stdout, messages and progress on stderr."""

from __future__ import annotations

import logging
import os
import sys
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.markup import escape

from badrepair.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.progress import Progress

Item = TypeVar("Item")

# A pipe has no width: tables would be folded at 80 columns for nobody.
PIPE_WIDTH = 120
# Narrower, numbers would be cut; the terminal folds longer lines instead.
NARROWEST = 80
SECONDS_BEFORE_A_BAR = 1.0

WRITE_FAILED = 74
# 128 and SIGPIPE.
CLOSED_PIPE = 141

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


def set_quiet(quiet: bool) -> None:
    """Show errors and data only."""
    _quiet.set(quiet)


class _Notes(logging.Handler):
    """Says on stderr what the library logs."""

    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


def set_verbose(verbose: bool) -> None:
    """Show what the library logs: what it chose to do and what it fell back to."""
    logger = logging.getLogger("badrepair")
    logger.handlers = [_Notes()]
    logger.setLevel(logging.INFO if verbose else logging.WARNING)


def out() -> Console:
    """Return where data goes."""
    width = max(Console().width, NARROWEST) if sys.stdout.isatty() else PIPE_WIDTH
    return Console(width=width, highlight=False)


def err() -> Console:
    """Return where messages go."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def note(message: str) -> None:
    """Say something on stderr, unless --quiet."""
    if not _quiet.get():
        err().print(printable(message), markup=False)


def complain(line: str) -> None:
    """Print an error as exactly one line, if there is still somebody to read it."""
    with suppress(OSError):
        err().print(printable(" ".join(line.split())), style="red", markup=False)


def flushed(code: int) -> int:
    """See that what was printed has gone out; return the exit code, another one if it has not."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        return closed_pipe()
    except OSError as error:
        _forget_stdout()
        return code if code == WRITE_FAILED else unprintable(error)  # said once
    return code


def unprintable(error: OSError) -> int:
    """Say that stdout takes no more, and return the exit code."""
    _forget_stdout()
    complain(f"error[WriteFailed] stdout: {error.strerror}")
    return WRITE_FAILED


def closed_pipe() -> int:
    """Return the exit code of a run whose reader has gone, as `head` does, without a word."""
    _forget_stdout()
    return CLOSED_PIPE


def _forget_stdout() -> None:
    """Let what is still to be printed go nowhere, else Python complains of it at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class Bars:
    """Draws bars with ETA for loops that take more than a second, on a terminal only."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._running = 0

    def __call__(self, items: Iterable[Item], label: str, total: int) -> Iterator[Item]:
        """Yield the items; a bar appears once the loop has proved slow."""
        started = time.monotonic()
        task = None
        try:
            for done, item in enumerate(items):
                yield item
                if task is None and time.monotonic() - started > SECONDS_BEFORE_A_BAR:
                    task = self._open().add_task(escape(label), total=total)
                if task is not None and self._progress is not None:
                    self._progress.update(task, completed=done + 1)
        finally:
            if task is not None:
                self._close(task)

    def _open(self) -> Progress:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        self._running += 1
        if self._progress is None:
            self._progress = Progress(
                "{task.description}",
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=err(),
                transient=True,
            )
            self._progress.start()
        return self._progress

    def _close(self, task: object) -> None:
        if self._progress is None:
            return
        self._progress.remove_task(task)  # type: ignore[arg-type]
        self._running -= 1
        if not self._running:
            self._progress.stop()
            self._progress = None


@contextmanager
def drawing() -> Iterator[None]:
    """Show progress bars inside the block, if somebody is there to see them."""
    from badrepair import progress

    if _quiet.get() or sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    with progress.using(Bars()):
        yield
