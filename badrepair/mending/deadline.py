"""How long a repair may take."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """A moment after which nothing new is begun.

    Args:
        minutes: From now on; infinity for none.
    """

    minutes: float
    _began: float = field(default_factory=time.monotonic, init=False)

    @property
    def passed(self) -> bool:
        """Return whether the time is over."""
        return self.left <= 0

    @property
    def left(self) -> float:
        """Return how many minutes are left, in (-inf, minutes]."""
        return self.minutes - (time.monotonic() - self._began) / 60
