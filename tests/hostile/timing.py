"""When a fault shows."""

from __future__ import annotations


class Built(str):
    """A code that shows only when the network is built, which a scan does not do."""

    __slots__ = ()
