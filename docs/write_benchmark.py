"""Write the pages of the first leaderboard anew from the lines that it came from.

    badrepair bench grids/fashion.toml -o fashion
    badrepair bench grids/attacks.toml -o attacks
    python docs/write_benchmark.py fashion attacks

It copies the lines of the runs to `benchmark/`, and makes `measured/benchmark-*.md` and the pages
of them. Without folders, it makes these of the lines that are there.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from badrepair.bench.grid_file import read_grid
from badrepair.bench.reports import reports

DOCS = Path(__file__).parent
GRIDS = DOCS.parent / "grids"
NAMES = ("fashion", "attacks")


def lines_of(name: str) -> Path:
    """Return where the lines of a grid are kept."""
    return DOCS / "benchmark" / f"{name}.jsonl"


def texts() -> dict[Path, str]:
    """Return what stands in every file that is made of the lines."""
    made = {}
    for name in NAMES:
        grid = read_grid(GRIDS / f"{name}.toml")
        command = f"badrepair bench grids/{name}.toml -o {name}"
        found = reports(grid, lines_of(name), command).texts
        made[DOCS / "measured" / f"benchmark-{name}.md"] = found["leaderboard.md"]
        made[_page(name)] = found["leaderboard.html"]
    return made


def _page(name: str) -> Path:
    return DOCS / ("benchmark.html" if name == NAMES[0] else f"benchmark-{name}.html")


if __name__ == "__main__":
    for folder in map(Path, sys.argv[1:]):
        shutil.copy(folder / "cells.jsonl", lines_of(folder.name))
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
