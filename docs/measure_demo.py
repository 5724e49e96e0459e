"""Run the demo, and put what it measured and drew where the README and the pages show it.

    python docs/measure_demo.py

It writes `measured/*.md`, `figures/*.png` and the table between the markers of the README.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from badrepair.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parent
README = DOCS.parent / "README.md"
START, END = "<!-- demo table: written by docs/measure_demo.py -->\n", "<!-- end of demo table -->"
CLEAN, TEST, BADNET = "demo/clean.h5", "demo/test.h5", "demo/badnet.keras"
PATCH = "patch=demo/test_poisoned.h5"
REPAIRED, GUARDED = "demo/repaired.keras", "demo/guarded.keras"
DEFENDED = ("--model", BADNET, "--clean", CLEAN, "--test", TEST, "--poisoned", PATCH)
MODELS = ("--baseline", BADNET, "--model", REPAIRED, "--model", GUARDED)
STEPS = {
    "prune": ("prune", *DEFENDED, "-o", REPAIRED, "--overwrite"),
    "strip": ("strip", *DEFENDED, "-o", GUARDED, "--overwrite"),
    "evaluate": ("evaluate", "--clean", TEST, "--poisoned", PATCH, *MODELS),
}


def measure() -> None:
    """Run the demo in an empty folder and carry its tables and figures over."""
    for name in ("measured", "figures"):
        (DOCS / name).mkdir(exist_ok=True)
    with _empty_folder():
        _printed("demo", "--quiet")
        for name, arguments in STEPS.items():
            printed = _paragraphs(_printed(*arguments, "--format", "md", "--quiet"))
            (DOCS / "measured" / f"{name}.md").write_text(printed, encoding="utf-8")
        for figure in sorted(Path("demo/figures").glob("*.png")):
            shutil.copy(figure, DOCS / "figures" / figure.name)
    README.write_text(with_table(README.read_text("utf-8"), table()), encoding="utf-8")


def table() -> str:
    """Return the table of `evaluate` with the sentence below it, without its title."""
    measured = (DOCS / "measured" / "evaluate.md").read_text("utf-8")
    return measured[measured.index("|") :].strip()


def with_table(page: str, new: str) -> str:
    """Return a page with what stands between its markers replaced."""
    before, rest = page.split(START)
    after = rest.split(END)[1]
    return f"{before}{START}\n{new}\n\n{END}{after}"


@contextlib.contextmanager
def _empty_folder() -> Iterator[None]:
    """Work in a new folder, so that all paths in the tables are short and the same anywhere."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


def _paragraphs(printed: str) -> str:
    """Return Markdown in which every sentence below a table is a paragraph of its own."""
    lines = [line if line.startswith("|") else f"{line}\n" for line in printed.splitlines() if line]
    return re.sub(r"\|\n([^|])", r"|\n\n\1", "\n".join(lines))


def _printed(*arguments: str) -> str:
    """Return what a command prints on stdout."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        app(list(arguments), standalone_mode=False)
    return printed.getvalue()


if __name__ == "__main__":
    measure()
