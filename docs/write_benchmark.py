"""Write what the pages show of grids anew, from the lines that the grids came to.

    badrepair bench grids/attacks.toml -o attacks
    python docs/write_benchmark.py attacks

It copies the lines of the runs to `benchmark/` and makes of them what the pages include, in
`measured/`, and the pages that a browser can sort, `benchmark*.html`. Without folders, it makes
these of the lines that are there.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from badrepair import tables
from badrepair.bench.grid_file import read_grid
from badrepair.bench.reports import reports
from badrepair.tables.bench_attacks import attack_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from badrepair.bench.grid import Grid

DOCS = Path(__file__).parent
GRIDS = DOCS.parent / "grids"
LINES = DOCS / "benchmark"
# Each attack's own page shows what this grid came to for it.
SETTINGS = "attack-settings"
# The grid whose page is the leaderboard.
LEADERBOARD = "fashion"


def texts() -> dict[Path, str]:
    """Return what stands in every file that is made of the lines."""
    return {
        path: text
        for lines in sorted(LINES.glob("*.jsonl"))
        for path, text in _texts(read_grid(GRIDS / f"{lines.stem}.toml"), lines)
    }


def _texts(grid: Grid, lines: Path) -> Iterator[tuple[Path, str]]:
    name = lines.stem
    if name == SETTINGS:
        yield from _attack_tables(grid, lines)
        return
    found = reports(grid, lines, f"badrepair bench grids/{name}.toml -o {name}").texts
    page = "benchmark.html" if name == LEADERBOARD else f"benchmark-{name}.html"
    yield DOCS / "measured" / f"benchmark-{name}.md", found["leaderboard.md"]
    yield DOCS / page, found["leaderboard.html"]


def _attack_tables(grid: Grid, lines: Path) -> Iterator[tuple[Path, str]]:
    """Yield the table of each attack of a grid, which the page of that attack includes."""
    for method in dict.fromkeys(one.method for one in grid.attacks):
        own = replace(grid, attacks=tuple(one for one in grid.attacks if one.method == method))
        table = attack_table(reports(own, lines, "").summary)
        yield DOCS / "measured" / f"attack-{method}.md", tables.as_markdown(table)


if __name__ == "__main__":
    for folder in map(Path, sys.argv[1:]):
        shutil.copy(folder / "cells.jsonl", LINES / f"{folder.name}.jsonl")
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
