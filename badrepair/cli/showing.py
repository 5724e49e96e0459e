"""Print results on stdout: tables for people, JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from badrepair import records, tables
from badrepair.cli import console
from badrepair.cli.options import Format

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def show(
    shown: Sequence[tables.Table],
    content: Mapping[str, Any],
    how: Format,
    sentences: Sequence[str] = (),
) -> None:
    """Print results on stdout: tables for people, or the record for programs."""
    if how is Format.json:
        print(json.dumps(records.to_json(content), indent=2))
        return
    for index, table in enumerate(shown):
        if how is Format.table:
            screen = console.out()
            screen.print(tables.as_rich(table, screen.width))
        else:
            text = tables.as_csv(table) if how is Format.csv else tables.as_markdown(table)
            print("\n" * bool(index) + text.rstrip("\n"))
    for sentence in sentences:
        if how is Format.csv:
            console.note(sentence)
        else:
            console.out().print(sentence, markup=False, soft_wrap=True)
