"""`badrepair plot`: figures from records."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from badrepair.cli import console
from badrepair.cli.command import takes
from badrepair.cli.options import OUTPUT, RunOptions
from badrepair.errors import DataError, OptionError

if TYPE_CHECKING:
    from badrepair.plots import Suffix


class Kind(StrEnum):
    """What a figure shows."""

    activations = "activations"
    curve = "curve"
    entropies = "entropies"
    error_rates = "error-rates"
    samples = "samples"
    superimposition = "superimposition"


@dataclass(frozen=True, kw_only=True)
class PlotOptions(RunOptions):
    """Options of `badrepair plot`."""

    records: Annotated[
        list[Path],
        typer.Argument(metavar="RECORD...", help="The JSON files that stand next to outputs."),
    ]
    kind: Annotated[
        list[Kind],
        typer.Option(help="Which figure; repeatable; all that the record holds if not given."),
    ] = field(default_factory=list)
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR|FILE",
            help="A folder for RECORD-KIND.png and .svg, or one .png or .svg file;"
            " the record's folder if not given.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing figures.", rich_help_panel=OUTPUT)
    ] = False


@takes(PlotOptions)
def plot(options: PlotOptions) -> None:
    """Draw what a run recorded, without running it again.

    Kinds: activation maps, pruning curve, entropy histograms, FRR and FAR against the threshold,
    sample images, and the superimposition of two images.
    """
    from badrepair import files, plots
    from badrepair.records import read_record

    figures: dict[Path, tuple[str, Suffix]] = {}
    drawings = []
    for path in options.records:
        record = read_record(path)
        kinds = [kind.value for kind in options.kind] or list(plots.available(record))
        if not kinds:
            raise DataError(
                "FigureNotInRecord",
                path,
                "expected a record that holds figures, found none in it",
                "take the record of prune or strip",
            )
        for kind in kinds:
            targets = _targets(path, kind, options.output)
            for target in targets:
                if target in figures:
                    raise OptionError(
                        "OneFileManyFigures",
                        target,
                        "expected one figure for this file, found more",
                        "give one --kind, or a folder as --output",
                    )
                figures[target] = (kind, _suffix(target))
            drawings.append((kind, record, targets))
    for target in figures:
        target.parent.mkdir(parents=True, exist_ok=True)
        files.check_writable(target, overwrite=options.overwrite, inputs=options.records)
    for kind, record, targets in drawings:
        figure = plots.draw(kind, record)
        for target in targets:
            files.write_atomically(
                target, plots.render(figure, _suffix(target)), overwrite=options.overwrite
            )
    console.note("wrote " + ", ".join(str(path) for path in figures))


def _targets(record: Path, kind: str, output: Path | None) -> tuple[Path, ...]:
    if output is not None and output.suffix in {".png", ".svg"}:
        return (output,)
    folder = record.parent if output is None else output
    return tuple(folder / f"{record.stem}-{kind}{suffix}" for suffix in (".png", ".svg"))


def _suffix(path: Path) -> Suffix:
    return "svg" if path.suffix == ".svg" else "png"
