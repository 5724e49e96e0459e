"""How large and how fast models are, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from badrepair.models.costs import Cost


def cost_table(models: Mapping[str, Cost]) -> Table:
    """Return how large and how fast each model is; the first one is what others are compared to.

    Args:
        models: Costs by name.
    """
    first = next(iter(models.values()))
    rows = tuple(
        (
            name,
            f"{cost.parameters:,}",
            f"{cost.flops:,}",
            f"{cost.milliseconds:.3f}",
            f"{first.milliseconds / cost.milliseconds:.2f}",
        )
        for name, cost in models.items()
    )
    columns = ("model", "parameters", "FLOPs an image", "ms an image", "times as fast")
    notes = ("FLOPs: floating point operations; ms: measured here, medians of interleaved runs.",)
    return Table("Size and speed", columns, rows, notes)
