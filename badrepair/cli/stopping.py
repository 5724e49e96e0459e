"""Signals that stop a run: the first one ends it in order, a second one at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from badrepair import locking, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

# What a shell says of a program that a signal ended.
SIGNALLED = 128
WORDS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}
# Who ignores a signal, as nohup does, has said so before: then it is not ours.
_USUAL: dict[int, signal.Handlers | Callable[[int, FrameType | None], Any]] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}
# `timeout` and a terminal that closes send one signal twice, to the process and to its group.
_SAME_SECONDS = 0.1
_AT_ONCE = b"error[Interrupted] badrepair: stopped at once by a second signal\n"


class Stop(KeyboardInterrupt):
    """A signal that told the run to end; what ends a run on Ctrl-C ends it on this one too."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(WORDS[signal.Signals(number)])


def word_of(stop: BaseException) -> str:
    """Return what a user calls that which stopped a run."""
    return str(stop) if isinstance(stop, Stop) else WORDS[signal.SIGINT]


def exit_code_of(stop: BaseException) -> int:
    """Return the exit code of a run that was stopped."""
    return SIGNALLED + (stop.number if isinstance(stop, Stop) else signal.SIGINT)


def stop_behind(error: BaseException | None) -> BaseException | None:
    """Return the stop that an error came of: a library that is loading may wrap it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error


@contextmanager
def in_order() -> Iterator[None]:
    """Raise `Stop` in the block at the first signal, and end the process at the second.

    The second is seen by a thread of its own: the main one may be deep in a library that hears
    of no signal before it returns.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = [number for number, usual in _USUAL.items() if signal.getsignal(number) is usual]
    reading, telling = os.pipe()
    os.set_blocking(telling, False)
    before = signal.set_wakeup_fd(telling, warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(reading,), daemon=True)
    watcher.start()
    raise_first = _raising_once()
    for number in taken:
        signal.signal(number, raise_first)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, _USUAL[number])
        signal.set_wakeup_fd(before)
        os.close(telling)
        watcher.join()
        os.close(reading)


def _raising_once() -> Callable[[int, FrameType | None], None]:
    """Return a handler that raises once: again, it would disturb the cleaning up."""
    left = [True]

    def handle(number: int, frame: FrameType | None) -> None:
        if left:
            left.clear()
            raise Stop(number)

    return handle


def _watch(reading: int) -> None:
    """End the process when a second signal comes; a signal is a byte that holds its number."""
    first: float | None = None
    while came := os.read(reading, 1):
        number, now = came[0], time.monotonic()
        if number not in WORDS:
            continue
        if first is None:
            first = now
        elif now - first > _SAME_SECONDS:
            _end_at_once(number)


def _end_at_once(number: int) -> NoReturn:
    writing.remove_unfinished()
    locking.remove_held()
    try:
        os.write(2, _AT_ONCE)
    finally:
        os._exit(SIGNALLED + number)
