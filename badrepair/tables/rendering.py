"""A table for a terminal, a spreadsheet or a page."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from badrepair.tables.table import NOT_MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from badrepair.tables.table import Table

# A spreadsheet takes a cell that starts with one of these for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
GAP = 2
NUMBER = re.compile(r"[\d.]+( %.*)?")
# In front of the interval of a rate or of another number, and nowhere in a name.
BEFORE_INTERVAL = re.compile(r"(?<=[\d%]) (?=\[[\d.]+, [\d.]+\]$)")


def as_rich(table: Table, width: int = 80) -> Group:
    """Return the table for a terminal.

    A model's name stands in its first row only; an interval stands below its rate where the
    lines would be too long.

    Args:
        table: What to show.
        width: Columns of the terminal, 80 or more.
    """
    table = table.in_terminal or table
    folded = _line_length(table) > width
    grid = RichTable(
        title=_text(_printable(table.title)), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for index, name in enumerate(table.columns):
        # A number is never cut; names give way where the line is too short.
        numeric = any(NUMBER.fullmatch(row[index]) for row in table.rows)
        shown = _printable(name)
        header = _text(shown.replace(" ", "\n") if numeric and folded else shown)
        grid.add_column(header, justify="right" if numeric else "left", no_wrap=numeric)
    above = table.rows[0][0] if table.rows else ""
    for index, row in enumerate(table.rows):
        if table.apart and row[0] != above:
            grid.add_section()
        first = row[0] if row[0] != above or index == 0 else ""
        cells = [_printable(cell) for cell in (first, *row[1:])]
        grid.add_row(*(_text(_two_lines(cell) if folded else cell) for cell in cells))
        above = row[0]
    return Group(grid, *(_text(_printable(note)) for note in table.notes))


def _line_length(table: Table) -> int:
    """Return how long lines are where each row is one line, gaps included."""
    columns = zip(table.columns, *table.rows, strict=True)
    return sum(max(len(cell) for cell in column) + GAP for column in columns)


def as_csv(table: Table) -> str:
    """Return the columns and rows as CSV; no cell is taken for a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for row in (table.columns, *table.rows):
        writer.writerow(_not_a_formula(cell) for cell in row)
    return buffer.getvalue()


def as_markdown(table: Table) -> str:
    """Return the table with its title and notes as Markdown."""
    header, *lines = (_markdown_row(map(_markdown, row)) for row in (table.columns, *table.rows))
    ruled = (header, _markdown_row(["---"] * len(table.columns)), *lines)
    title, *notes = map(_markdown, (table.title, *table.notes))
    return "\n".join([f"**{title}**", "", *ruled, "", *notes]) + "\n"


def _printable(cell: str) -> str:
    """Return the cell without control characters, which could rewrite the terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in cell)


def _text(words: str) -> Text:
    """Return words that rich reads as they stand, not as markup, and never leaves out."""
    return Text(words, overflow="fold")


def _two_lines(cell: str) -> str:
    """Return a number with its interval in a second line, so that the column is half as wide."""
    folded = BEFORE_INTERVAL.sub("\n", cell)
    return folded.replace(NOT_MEASURED, NOT_MEASURED.replace(" ", "\n"))


def _not_a_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown(words: str) -> str:
    """Return words that stay in their line and are no markup."""
    return re.sub(r"([\\|`*_<>\[\]])", r"\\\1", _printable(words))
