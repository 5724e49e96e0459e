"""All that is written of a grid's lines: tables, and the files for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from badrepair import tables
from badrepair.bench.flat import summary_csv
from badrepair.bench.ledger import Ledger
from badrepair.bench.line import Line
from badrepair.bench.page import page
from badrepair.bench.summary import Summary, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from badrepair.bench.grid import Grid

NAMES = ("leaderboard.md", "leaderboard.csv", "leaderboard.html")


@dataclass(frozen=True, kw_only=True)
class Reports:
    """What a grid has come to so far.

    Args:
        summary: Its numbers.
        shown: Its tables.
        texts: Content of each file of `NAMES`, by name.
    """

    summary: Summary
    shown: Sequence[tables.Table]
    texts: Mapping[str, str]


def reports(grid: Grid, path: Path, command: str) -> Reports:
    """Return the reports of the lines that there are.

    Args:
        grid: Whose cells they are about; lines about others are left out.
        path: The file with the lines.
        command: What repeats the run.

    Raises:
        DataError: LedgerInvalid or LineInvalid.
    """
    stored = Ledger(path).lines
    keys = [cell.key for cell in grid.cells if cell.key in stored]
    lines = [Line.from_json(stored[key], path) for key in keys]
    summary = summarise(lines, [cell.labels for cell in grid.cells])
    shown = tables.bench_tables(summary)
    texts = (
        "\n".join(map(tables.as_markdown, shown)),
        summary_csv(summary),
        page(summary, lines, title=grid.name, command=command, clean_images=grid.clean_images),
    )
    return Reports(summary=summary, shown=shown, texts=dict(zip(NAMES, texts, strict=True)))
