"""Write what the pages show of grids anew, from the lines that the grids came to.

    badrepair bench grids/attacks.toml -o attacks
    python docs/write_benchmark.py attacks

It copies the lines of the runs to `benchmark/`, and makes `measured/benchmark-*.md` and
`benchmark-*.html` of them. Without folders, it makes these of the lines that are there.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from badrepair.bench.grid_file import read_grid
from badrepair.bench.reports import reports

DOCS = Path(__file__).parent
GRIDS = DOCS.parent / "grids"
LINES = DOCS / "benchmark"


def texts() -> dict[Path, str]:
    """Return what stands in every file that is made of the lines."""
    made = {}
    for lines in sorted(LINES.glob("*.jsonl")):
        name = lines.stem
        command = f"badrepair bench grids/{name}.toml -o {name}"
        found = reports(read_grid(GRIDS / f"{name}.toml"), lines, command).texts
        made[DOCS / "measured" / f"benchmark-{name}.md"] = found["leaderboard.md"]
        made[DOCS / f"benchmark-{name}.html"] = found["leaderboard.html"]
    return made


if __name__ == "__main__":
    for folder in map(Path, sys.argv[1:]):
        shutil.copy(folder / "cells.jsonl", LINES / f"{folder.name}.jsonl")
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
