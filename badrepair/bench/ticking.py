"""Announce progress that comes from outside: one tick a thing that is done, in any order."""

from __future__ import annotations

from collections.abc import Generator

from badrepair.progress import track


class Ticker:
    """A bar that a tick moves on; see `badrepair.progress`.

    Args:
        label: What the bar says.
        total: How many ticks there will be.
    """

    def __init__(self, label: str, total: int) -> None:
        self._steps = iter(track(range(total), label, total))
        # A loop is drawn when it asks for the next item: the first one has been taken, not done.
        next(self._steps, None)

    def tick(self) -> None:
        """Say that one more is done."""
        next(self._steps, None)

    def close(self) -> None:
        """Take the bar away, if it is still there."""
        if isinstance(self._steps, Generator):
            self._steps.close()
