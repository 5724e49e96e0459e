"""`badrepair bench GRID.toml`: measure every defence on every attack of a grid, and report."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from badrepair.cli import console, new_folder
from badrepair.cli.command import takes
from badrepair.cli.options import OUTPUT, RUN, Format, RunOptions
from badrepair.errors import OptionError
from badrepair.starting import start_tensorflow

if TYPE_CHECKING:
    from badrepair.bench.engines import Engine
    from badrepair.bench.grid import Grid
    from badrepair.bench.running import Progress

ENGINE = "Where it runs"


class EngineName(StrEnum):
    """Where the tasks of a grid run."""

    local = "local"
    ray = "ray"


@dataclass(frozen=True, kw_only=True)
class BenchOptions(RunOptions):
    """Options of `badrepair bench`."""

    grid: Annotated[
        Path,
        typer.Argument(metavar="GRID.toml", help="What to combine with what.", show_default=False),
    ]
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Where results, networks and reports go; what is there already is not run again.",
            rich_help_panel=OUTPUT,
        ),
    ]
    format: Annotated[
        Format, typer.Option(help="How to print the results.", rich_help_panel=OUTPUT)
    ] = Format.table
    budget_minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M", help="Begin nothing new after so many minutes.", rich_help_panel=RUN
        ),
    ] = None
    cell_minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            help="Give up a cell, or the training of a network, after so many minutes.",
            rich_help_panel=RUN,
        ),
    ] = None
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Run cells again that failed.", rich_help_panel=RUN),
    ] = False
    engine: Annotated[
        EngineName,
        typer.Option(
            help="Processes on this machine, or an existing Ray cluster.", rich_help_panel=ENGINE
        ),
    ] = EngineName.local
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes of --engine local; one a core if not given.",
            rich_help_panel=ENGINE,
        ),
    ] = None
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="The Ray cluster's head; that of this machine if not given.",
            rich_help_panel=ENGINE,
        ),
    ] = None


@takes(BenchOptions)
def bench(options: BenchOptions) -> None:
    """Measure every defence on every attack of a grid, with seeds and clean controls.

    Each network is trained once. A run that was interrupted goes on where it was: type the same
    command again.
    """
    _require_fitting(options)
    start_tensorflow()
    from badrepair.bench import cells, running
    from badrepair.bench.grid_file import read_grid

    grid = read_grid(options.grid)
    new_folder.made(options.output, "--output")
    console.note(f"{grid.name}: {len(grid.nets)} networks, {len(grid.cells)} cells")
    with _engine(options) as engine:
        progress = running.run(
            grid,
            options.output,
            engine,
            cells.make_net,
            cells.measure,
            budget_minutes=options.budget_minutes,
            cell_minutes=options.cell_minutes,
            retry_failed=options.retry_failed,
            at_end=lambda: _report(grid, options),
        )
    console.note(_how_far(progress, options))


def _require_fitting(options: BenchOptions) -> None:
    """Refuse options that belong to the other engine."""
    wrong = {
        EngineName.local: ("--address", options.address, "--engine ray"),
        EngineName.ray: ("--workers", options.workers, "--engine local"),
    }
    option, value, engine = wrong[options.engine]
    if value is not None:
        raise OptionError("OptionInvalid", option, f"expected it with {engine} only", "drop it")


def _engine(options: BenchOptions) -> Engine:
    from badrepair.bench import cells

    if options.engine is EngineName.local:
        from badrepair.bench.engines.local import LocalEngine

        return LocalEngine(options.workers, start=cells.start)
    from badrepair.bench.engines.ray import RayEngine

    return RayEngine(options.address or "auto", start=cells.start)


def _report(grid: Grid, options: BenchOptions) -> None:
    """Write the reports of what there is, and print the tables."""
    from badrepair import writing
    from badrepair.bench.flat import summary_json
    from badrepair.bench.reports import reports
    from badrepair.bench.running import LINES
    from badrepair.cli import showing

    command = shlex.join(["badrepair", "bench", str(options.grid), "-o", str(options.output)])
    made = reports(grid, options.output / LINES, command)
    contents = {options.output / name: text.encode() for name, text in made.texts.items()}
    writing.write_together(contents, overwrite=True)
    if options.format is Format.csv:
        print(made.texts["leaderboard.csv"].rstrip("\n"))
    else:
        showing.show(made.shown, summary_json(made.summary), options.format)


def _how_far(progress: Progress, options: BenchOptions) -> str:
    """Return how far the grid is, what to type if it is not done, and where all is."""
    from badrepair.bench.reports import NAMES

    said = f"{progress.done} of {progress.total} cells measured"
    if progress.failed:
        said += f", {progress.failed} failed: --retry-failed runs them again"
    if progress.missing:
        said += f", {progress.missing} missing: the same command goes on"
    return f"{said}; wrote {', '.join(str(options.output / name) for name in NAMES)}"
