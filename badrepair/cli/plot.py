"""`badrepair plot`: figures from records."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from badrepair.cli import console
from badrepair.cli.command import takes
from badrepair.cli.options import OUTPUT, Overwrite, RunOptions
from badrepair.errors import DataError, OptionError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Kind(StrEnum):
    """What a figure shows."""

    activations = "activations"
    curve = "curve"
    entropies = "entropies"
    error_rates = "error-rates"
    extremes = "extremes"
    overlays_used = "overlays-used"
    pairs = "pairs"
    roc = "roc"
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
    overwrite: Overwrite = False


@takes(PlotOptions)
def plot(options: PlotOptions) -> None:
    """Draw what a run recorded, without running it again.

    Kinds: activation maps, pruning curve, entropy histograms, FRR and FAR against the threshold,
    the most and least suspicious images, how many overlays decisions took, what is caught at each
    share of false rejections (ROC), sample images, and the superimposition of two images.
    """
    from badrepair import writing
    from badrepair.cli.claiming import claimed

    drawings = [
        Drawing(kind, record, target)
        for path in options.records
        for kind, record in _figures_of(path, options.kind)
        for target in _targets(path, kind, options.output)
    ]
    _require_one_figure_a_file(drawings)
    for drawing in drawings:
        _make_folder(drawing.target.parent)
    targets = [drawing.target for drawing in drawings]
    with claimed(targets, overwrite=options.overwrite, inputs=options.records):
        images = {drawing.target: _drawn(drawing) for drawing in drawings}
        writing.write_together(images, overwrite=options.overwrite)
    for target in targets:
        console.note(f"wrote {target}")


def _drawn(drawing: Drawing) -> bytes:
    from badrepair import plots

    suffix: plots.Suffix = "svg" if drawing.target.suffix == ".svg" else "png"
    return plots.render(plots.draw(drawing.kind, drawing.record), suffix)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"cannot make this folder: {error.strerror}"
        raise OutputError("OutputNotCreatable", folder, problem) from error


@dataclass(frozen=True)
class Drawing:
    """One figure and where it goes."""

    kind: str
    record: Mapping[str, Any]
    target: Path


def _figures_of(path: Path, wanted: Sequence[Kind]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    from badrepair import plots
    from badrepair.records import read_record

    record = read_record(path)
    kinds = [kind.value for kind in wanted] or plots.available(record)
    if not kinds:
        raise DataError(
            "FigureNotInRecord",
            path,
            "expected a record that holds figures, found none in it",
            "take the record of prune or strip, or the card of an attack",
        )
    for kind in kinds:
        yield kind, record


def _require_one_figure_a_file(drawings: Sequence[Drawing]) -> None:
    targets = [drawing.target for drawing in drawings]
    for target in targets:
        if targets.count(target) > 1:
            raise OptionError(
                "OneFileManyFigures",
                target,
                f"expected one figure for this file, found {targets.count(target)}",
                "give one --kind, or a folder as --output",
            )


def _targets(record: Path, kind: str, output: Path | None) -> tuple[Path, ...]:
    if output is not None and output.suffix in {".png", ".svg"}:
        return (output,)
    folder = record.parent if output is None else output
    return tuple(folder / f"{record.stem}-{kind}{suffix}" for suffix in (".png", ".svg"))
