"""Progress without printing: the library announces its loops, the command draws them.

`track` passes an iterable through. The command installs a tracker with `using`; without one,
as in library use, nothing is drawn.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Item = TypeVar("Item")


class Tracker(Protocol):
    """Draws the progress of a loop."""

    def __call__(self, items: Iterable[Item], label: str, total: int) -> Iterable[Item]:
        """Yield the items while showing how many of `total` are done."""


def _silent(items: Iterable[Item], label: str, total: int) -> Iterable[Item]:
    return items


_tracker: ContextVar[Tracker] = ContextVar("tracker", default=_silent)


def track(items: Iterable[Item], label: str, total: int) -> Iterable[Item]:
    """Yield `items`, showing progress under `label` where a tracker is installed."""
    return _tracker.get()(items, label, total)


@contextmanager
def using(tracker: Tracker) -> Iterator[None]:
    """Let `tracker` draw every loop inside the `with` block."""
    token = _tracker.set(tracker)
    try:
        yield
    finally:
        _tracker.reset(token)
