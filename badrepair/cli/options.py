"""The options that commands share, each defined once."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated

import typer

from badrepair.errors import OptionError
from badrepair.files import same_content


class Format(StrEnum):
    """How results are printed on stdout."""

    table = "table"
    json = "json"
    csv = "csv"
    md = "md"


class Layout(StrEnum):
    """Order of the axes of stored images."""

    auto = "auto"
    nhwc = "nhwc"
    nchw = "nchw"


class Color(StrEnum):
    """Order of the channels of stored images."""

    rgb = "rgb"
    bgr = "bgr"


class InputRange(StrEnum):
    """Pixel values that the model takes."""

    auto = "auto"
    unit = "0-1"
    byte = "0-255"
    as_is = "as-is"


MODEL, DATA, RUN, OUTPUT = "The model", "The data", "The run", "The output"
GATE = "The gate: exit code 1 if it is missed"

# Options that stand in several commands and belong to no group below.
Model = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        help=".keras, or .h5 whole or weights only, of Keras 2.2 and later.",
        rich_help_panel=MODEL,
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="FILE", help="The model to write.", rich_help_panel=OUTPUT
    ),
]
Guard = Annotated[
    bool,
    typer.Option(
        "--guard",
        help="Also write OUT-guard.keras: the model that answers N where the original and the"
        " repaired one disagree.",
        rich_help_panel=OUTPUT,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace existing outputs.", rich_help_panel=OUTPUT),
]
Resize = Annotated[
    bool,
    typer.Option("--resize", help="Resize pictures of another size.", rich_help_panel=DATA),
]
Seed = Annotated[int, typer.Option(min=0, help="Fixes every random choice.", rich_help_panel=RUN)]
Arch = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Of a weights-only file: deepid, resnet20, small-cnn, vgg8, JSON or a model file.",
        rich_help_panel=MODEL,
    ),
]
TrustModel = Annotated[
    list[str],
    typer.Option(
        metavar="sha256:DIGEST",
        help="Let layers that are not known pass in the file with this digest; repeatable.",
        rich_help_panel=MODEL,
    ),
]
MaxAsr = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Largest attack success that passes.", rich_help_panel=GATE),
]
MinAccuracy = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Smallest clean accuracy that passes.", rich_help_panel=GATE),
]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of every command."""

    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print results and errors only.", rich_help_panel=RUN),
    ] = False
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", help="Say what is done and why, step by step.", rich_help_panel=RUN
        ),
    ] = False
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=RUN)
    ] = False


@dataclass(frozen=True, kw_only=True)
class PictureOptions(RunOptions):
    """How pixels are read."""

    color: Annotated[
        Color,
        typer.Option(help="Channel order of the stored images.", rich_help_panel=DATA),
    ] = Color.rgb
    input_range: Annotated[
        InputRange,
        typer.Option(
            help="Pixel values that the model takes; auto tries both and says what it found.",
            rich_help_panel=DATA,
        ),
    ] = InputRange.auto
    batch_size: Annotated[int, typer.Option(min=1, help="Images a call.", rich_help_panel=RUN)] = (
        100
    )


@dataclass(frozen=True, kw_only=True)
class DataOptions(PictureOptions):
    """Which data, and how it is stored."""

    clean: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Clean labelled images: HDF5, .npz, IDX, or a folder of class folders.",
            rich_help_panel=DATA,
        ),
    ] = None
    poisoned: Annotated[
        list[str],
        typer.Option(
            metavar="[NAME=]FILE",
            help="Triggered images labelled with the attacker's target; only measured; repeatable.",
            rich_help_panel=DATA,
        ),
    ] = field(default_factory=list)
    image_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Name of the images in the file.", rich_help_panel=DATA),
    ] = None
    label_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Name of the labels in the file.", rich_help_panel=DATA),
    ] = None
    layout: Annotated[
        Layout,
        typer.Option(help="Axes of the stored images; auto fits the model.", rich_help_panel=DATA),
    ] = Layout.auto
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Use N images of every file, for a trial.",
            rich_help_panel=DATA,
        ),
    ] = None
    label_offset: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Add N to every label, such as -1 where files count classes from 1.",
            rich_help_panel=DATA,
        ),
    ] = 0
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad",
            help="Leave out images that are damaged, NaN or infinite, and say how many.",
            rich_help_panel=DATA,
        ),
    ] = False
    format: Annotated[
        Format, typer.Option(help="How to print the results.", rich_help_panel=OUTPUT)
    ] = Format.table


@dataclass(frozen=True, kw_only=True)
class ArchOptions(RunOptions):
    """What may stand beside a model's file."""

    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Put the weights of this file in.", rich_help_panel=MODEL
        ),
    ] = None
    arch: Arch = None
    trust_model: TrustModel = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ModelOptions(ArchOptions):
    """Which model."""

    model: Model


@dataclass(frozen=True, kw_only=True)
class DefenseOptions(ArchOptions, DataOptions):
    """Options of a command that makes a defended model."""

    test: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Clean images to measure on; a part of --clean if not given.",
            rich_help_panel=DATA,
        ),
    ] = None
    overwrite: Overwrite = False
    seed: Seed = 0

    @cached_property
    def tests_on_clean(self) -> bool:
        """Whether --test holds the very images of --clean; the files are read once for it."""
        if self.clean is None or self.test is None:
            return False
        return same_content(self.test, self.clean)


def clean_missing() -> OptionError:
    """Return the error that says that a defence needs clean images."""
    problem = "expected a file of clean labelled images, found none"
    return OptionError("CleanMissing", "--clean", problem)
