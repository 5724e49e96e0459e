"""How long answers take, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.tables.table import NOT_APPLICABLE, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from badrepair.models.latency import Latency


def latency_table(measured: Mapping[str, Latency], overlays: Mapping[str, float]) -> Table:
    """Return how long an image takes in each way to answer.

    Args:
        measured: By the name of the way.
        overlays: How many overlays it looks at on clean images, on average; absent for a way
            that looks at none.
    """
    rows = tuple(
        (
            name,
            f"{latency.alone:.2f}",
            f"{latency.among_many:.3f}",
            f"{overlays[name]:.1f}" if name in overlays else NOT_APPLICABLE,
        )
        for name, latency in measured.items()
    )
    columns = ("guard", "ms, one image", "ms an image of 100", "overlays")
    notes = ("ms: measured here on clean images, medians of interleaved runs.",)
    return Table("Speed", columns, rows, notes)
