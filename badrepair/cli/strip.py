"""`badrepair strip`: guard a model by STRIP, or screen images with a guard that was made before."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from badrepair.cli.command import takes
from badrepair.cli.options import GATE, MODEL, OUTPUT, DefenseOptions, Resize, clean_missing
from badrepair.errors import OptionError
from badrepair.starting import start_tensorflow

DETECTOR, SCREENING = "The detector", "The screening"


class Calibration(StrEnum):
    """How the threshold follows from clean entropies."""

    conformal = "conformal"
    pac = "pac"
    normal = "normal"
    empirical = "empirical"


class Mix(StrEnum):
    """How an input and an overlay are added up."""

    add = "add"
    blend = "blend"
    auto = "auto"


@dataclass(frozen=True, kw_only=True)
class StripOptions(DefenseOptions):
    """Options of `badrepair strip`."""

    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=".keras, or .h5 whole or weights only; with --detector, the one it was made for"
            " if not given.",
            rich_help_panel=MODEL,
        ),
    ] = None
    output: Annotated[
        list[Path],
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="What to write; repeatable: .keras and .onnx are guarded models, .npz the detector"
            " alone; of --screen, a .csv, .jsonl or .parquet.",
            rich_help_panel=OUTPUT,
        ),
    ]
    frr: Annotated[
        float,
        typer.Option(
            help="Share of clean inputs that may be flagged, 0.01 is one in a hundred.",
            rich_help_panel=DETECTOR,
        ),
    ] = 0.01
    calibration: Annotated[
        Calibration,
        typer.Option(
            help="conformal keeps --frr on average, for any distribution; pac with --confidence;"
            " normal and empirical promise nothing.",
            rich_help_panel=DETECTOR,
        ),
    ] = Calibration.conformal
    confidence: Annotated[
        float,
        typer.Option(help="With pac: how sure --frr is kept.", rich_help_panel=DETECTOR),
    ] = 0.95
    overlays: Annotated[
        int,
        typer.Option(min=2, help="Clean images to superimpose.", rich_help_panel=DETECTOR),
    ] = 100
    mix: Annotated[
        Mix,
        typer.Option(
            help="add: image + overlay; blend: half of each; auto: which leaves clean images more"
            " entropy.",
            rich_help_panel=DETECTOR,
        ),
    ] = Mix.add
    image_weight: Annotated[
        float | None,
        typer.Option(
            help="Weight of the input in a mix, instead of --mix's.", rich_help_panel=DETECTOR
        ),
    ] = None
    overlay_weight: Annotated[
        float | None,
        typer.Option(help="Weight of the overlay in a mix, likewise.", rich_help_panel=DETECTOR),
    ] = None
    exact: Annotated[
        bool,
        typer.Option(
            "--exact",
            help="Look at all overlays for every input, not only until the decision is certain.",
            rich_help_panel=DETECTOR,
        ),
    ] = False
    mixes_a_call: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Mixes that run together; what is quickest is found out if not given.",
            rich_help_panel=DETECTOR,
        ),
    ] = None
    detector: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A detector that was written as .npz.", rich_help_panel=SCREENING
        ),
    ] = None
    screen: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER|FILE",
            help="Images to judge one by one: pictures in a folder, HDF5, .npz, .npy or IDX;"
            " --limit takes the first ones.",
            rich_help_panel=SCREENING,
        ),
    ] = None
    quarantine: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Copy flagged images there.", rich_help_panel=SCREENING),
    ] = None
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on behind the last row that an unfinished screening wrote.",
            rich_help_panel=SCREENING,
        ),
    ] = False
    resize: Resize = False
    fail_on_finding: Annotated[
        bool,
        typer.Option(
            "--fail-on-finding",
            help="With --screen: exit code 1 if an image is flagged or cannot be read.",
            rich_help_panel=GATE,
        ),
    ] = False


@takes(StripOptions)
def strip(options: StripOptions) -> None:
    """Guard a model: flag inputs whose answer survives superimposed images.

    STRIP after Gao et al., 2019. The guarded model has one more class, N, which means "poisoned".
    Poisoned files are only for measuring. With --detector and --screen, judge images instead.
    """
    started = time.monotonic()
    _require_sense(options)
    start_tensorflow()
    if options.screen is not None:
        from badrepair.cli.screening import screen

        screen(options)
        return
    from badrepair.cli.guarding import run

    run(options, started)


# What makes a detector, and changes nothing in one that is made.
_FITTING = (
    *("frr", "calibration", "confidence", "overlays", "mix", "image_weight", "overlay_weight"),
    *("exact", "seed"),
)


def _require_sense(options: StripOptions) -> None:
    """Refuse options of the one half of the command with those of the other."""
    screening = options.screen is not None
    if screening == (options.detector is None):
        problem = "expected --detector and --screen together, found one of them"
        hint = "strip --model FILE --clean FILE -o NAME.npz makes a detector"
        where = "--detector" if screening else "--screen"
        raise OptionError("OptionMissing", where, problem, hint)
    if not screening and options.model is None:
        raise OptionError("OptionMissing", "--model", "expected a model to guard, found none")
    if not screening and options.clean is None:
        raise clean_missing()
    fitting: dict[str, object] = {
        "--clean": options.clean,
        "--test": options.test,
        "--poisoned": options.poisoned,
        "--label-key": options.label_key,
        **{
            f"--{name.replace('_', '-')}": getattr(options, name) != getattr(StripOptions, name)
            for name in _FITTING
        },
    }
    judging: dict[str, object] = {
        "--quarantine": options.quarantine,
        "--resume": options.resume,
        "--resize": options.resize,
        "--fail-on-finding": options.fail_on_finding,
    }
    given = [name for name, value in (fitting if screening else judging).items() if value]
    if given:
        problem = f"expected none {'with' if screening else 'without'} --screen, found one"
        hint = "leave it out: the detector is made already" if screening else "leave it out"
        raise OptionError("OptionMisplaced", given[0], problem, hint)
