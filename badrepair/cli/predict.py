"""`badrepair predict`: the class of single pictures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from badrepair.cli.command import takes
from badrepair.cli.options import DATA, ModelOptions, PictureOptions, Resize
from badrepair.starting import start_tensorflow

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True)
class PredictOptions(ModelOptions, PictureOptions):
    """Options of `badrepair predict`."""

    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE|FOLDER...", help="Pictures, or folders of them.")
    ]
    clean: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Clean labelled images on which the pixel range is tried.",
            rich_help_panel=DATA,
        ),
    ] = None
    resize: Resize = False


@takes(PredictOptions)
def predict(options: PredictOptions) -> None:
    """Print the class of each picture: `path<TAB>class`, or the bare class of a single one.

    The class N of a guarded model means "this input is poisoned".
    """
    start_tensorflow()
    import numpy as np

    from badrepair.cli import inputs
    from badrepair.data import pictures
    from badrepair.models import inference
    from badrepair.models.guards import passes_an_input

    paths = _pictures(options.images)
    model = inputs.loaded(options, options.model)
    size = tuple(model.input_shape[1:])
    input_range = inputs.range_for_pictures(options, model)
    factor = 1 / 255 if input_range == "0-1" else 1.0
    single = len(options.images) == 1 and not os.path.isdir(options.images[0])
    # Pictures for a model of any size may differ in size.
    step = 1 if None in size else max(1, options.batch_size // passes_an_input(model))
    for start in range(0, len(paths), step):
        chunk = paths[start : start + step]
        images = [
            pictures.read_picture(path, size=size, color=options.color.value, resize=options.resize)
            for path in chunk
        ]
        with inputs.naming(options.model, model):
            answers = inference.answers(model, np.stack(images) * np.float32(factor))
        for path, answer in zip(chunk, answers, strict=True):
            typer.echo(str(answer) if single else f"{path}\t{answer}")


def _pictures(named: Sequence[Path]) -> list[Path]:
    """Return the pictures in the order in which they were named, folders in order of names."""
    from badrepair.data.pictures import find_pictures

    found: list[Path] = []
    for path in named:
        found += [path / name for name in find_pictures(path)] if os.path.isdir(path) else [path]
    return found
