"""`badrepair scan`: what is in model files, without running any of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from badrepair.cli import console
from badrepair.cli.command import takes
from badrepair.cli.options import OUTPUT, RunOptions
from badrepair.errors import BadrepairError
from badrepair.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from badrepair.scanning import Scan

FOUND = 1


class ScanFormat(StrEnum):
    """How findings are printed on stdout."""

    table = "table"
    json = "json"
    sarif = "sarif"


@dataclass(frozen=True, kw_only=True)
class ScanOptions(RunOptions):
    """Options of `badrepair scan`."""

    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Model files: .keras, .h5 or a network's JSON."),
    ]
    format: Annotated[
        ScanFormat, typer.Option(help="How to print what is found.", rich_help_panel=OUTPUT)
    ] = ScanFormat.table


@takes(ScanOptions)
def scan(options: ScanOptions) -> None:
    """Say what is in a model file, and what in it could harm, without running any of it.

    Exit code 0: nothing was found; 1: something was; 65: a file could not be read.
    """
    from badrepair.scanning import scan as look

    scans, worst = [], 0
    for path in options.files:
        try:
            scans.append(look(path))
        except BadrepairError as error:
            console.complain(str(error))
            worst = max(worst, error.exit_code)
    _show(scans, options.format)
    for done in scans:
        console.note(_verdict(done))
    if worst == 0 and any(done.findings for done in scans):
        worst = FOUND
    raise typer.Exit(worst)


def _show(scans: Sequence[Scan], how: ScanFormat) -> None:
    import json

    from badrepair import records, tables
    from badrepair.cli import showing
    from badrepair.cli.options import Format

    if how is ScanFormat.sarif:
        found = [(done.path, finding) for done in scans for finding in done.findings]
        print(json.dumps(records.sarif(found), indent=2))
        return
    shown = [table for done in scans for table in tables.scan_tables(done)]
    content = {"schema": records.SCHEMA, "files": scans}
    showing.show(shown, content, Format(how.value))


def _verdict(done: Scan) -> str:
    """Return one sentence for people."""
    refused = sum(found.severity == "refused" for found in done.findings)
    warned = len(done.findings) - refused
    if refused:
        why = counted(refused, "reason")
        return f"{done.path}: {why} not to load it, {counted(warned, 'warning')}"
    if warned:
        return f"{done.path}: it can be loaded; {counted(warned, 'warning')}"
    return (
        f"{done.path}: nothing was found in the file that could harm its reader;"
        " whether the network has a backdoor, a scan cannot tell"
    )
