"""`badrepair attack METHOD`: poison a data set and train a network on it, to test defences with."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from badrepair.cli import console, new_folder
from badrepair.cli.methods import Methods, chosen_settings
from badrepair.cli.options import DATA, MODEL, OUTPUT, Format, Overwrite, RunOptions
from badrepair.starting import start_tensorflow

if TYPE_CHECKING:
    from badrepair.planting import Planted, Recipe
    from badrepair.registry import Kind

TRAINING = "Its training"


@dataclass(frozen=True, kw_only=True)
class AttackOptions(RunOptions):
    """Options of `badrepair attack METHOD`, besides the settings of the method."""

    data: Annotated[
        str,
        typer.Option(
            metavar="SET",
            help="digits, fashion-mnist, mnist, cifar10, or hdf5:FILE, npz:FILE, folder:DIR;"
            " a test file may follow after a comma.",
            rich_help_panel=DATA,
        ),
    ] = "digits"
    training_images: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Train on N images only.", rich_help_panel=DATA),
    ] = None
    clean_images: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Clean images that the defender gets.", rich_help_panel=DATA
        ),
    ] = 500
    test_images: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Measure on N images only.", rich_help_panel=DATA),
    ] = None
    arch: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="resnet20, small-cnn, vgg8, deepid (sides of 31 or more), or a Keras file to go"
            " on from.",
            rich_help_panel=MODEL,
        ),
    ] = "small-cnn"
    epochs: Annotated[
        int, typer.Option(min=1, help="Most passes over the images.", rich_help_panel=TRAINING)
    ] = 10
    patience: Annotated[
        int,
        typer.Option(
            min=0,
            help="Stop after so many epochs in a row below the best; 0 never does.",
            rich_help_panel=TRAINING,
        ),
    ] = 3
    learning_rate: Annotated[float, typer.Option(help="Adam's step.", rich_help_panel=TRAINING)] = (
        2e-3
    )
    tuning_batch: Annotated[
        int, typer.Option(min=1, help="Images a step.", rich_help_panel=TRAINING)
    ] = 64
    augment: Annotated[
        str,
        typer.Option(
            metavar="none|flip|shift", help="How images are varied.", rich_help_panel=TRAINING
        ),
    ] = "none"
    schedule: Annotated[
        str,
        typer.Option(
            metavar="cosine|constant",
            help="Whether Adam's step falls to zero over all epochs.",
            rich_help_panel=TRAINING,
        ),
    ] = "cosine"
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Where to put the files.", rich_help_panel=OUTPUT
        ),
    ]
    overwrite: Overwrite = False
    format: Annotated[
        Format, typer.Option(help="How to print the results.", rich_help_panel=OUTPUT)
    ] = Format.table


class Attacks(Methods):
    """One sub-command an attack."""

    kind: ClassVar[Kind] = "attacks"
    options: ClassVar[type[RunOptions]] = AttackOptions
    panel: ClassVar[str] = "The attack"

    @staticmethod
    def run(method: str, options: Any) -> None:
        """Write the network, the data and the card, and say how well the backdoor works."""
        from badrepair import own_methods, registry
        from badrepair.planted_names import CARD
        from badrepair.settings import with_settings

        source = own_methods.own_source(method)
        plug_in = registry.load("attacks", method, source)
        settings = chosen_settings(plug_in, options)
        with_settings(plug_in, settings)  # so that faults are told at once
        with new_folder.filled(
            options.output, CARD, overwrite=options.overwrite, option="--output"
        ):
            start_tensorflow()
            _plant(_recipe(method, source, settings, options), options)


attack = typer.Typer(
    cls=Attacks,
    no_args_is_help=True,
    help="Make a backdoored network to test defences with: poison a data set, train on it.\n\n"
    "METHOD is one of those below, or FILE.py with an attack of your own.",
)


def _recipe(
    method: str, source: str | None, settings: dict[str, Any], options: AttackOptions
) -> Recipe:
    """Return what decides about the network."""
    from badrepair.models.judged import Training
    from badrepair.planting import Recipe

    names = ("epochs", "patience", "learning_rate", "tuning_batch", "augment", "schedule")
    return Recipe(
        data=options.data,
        architecture=options.arch,
        attack=method,
        poison_rate=settings.pop("poison_rate"),
        seed=settings.pop("seed"),
        settings=settings,
        source=source,
        training=Training(**{name: getattr(options, name) for name in names}),
        training_images=options.training_images,
        clean_images=options.clean_images,
        test_images=options.test_images,
    )


def _plant(recipe: Recipe, options: AttackOptions) -> None:
    from badrepair import planted_folder, tables, writing
    from badrepair.cli import showing
    from badrepair.planted_names import CARD, CLEAN, MODEL, PAIRS, TEST
    from badrepair.planting import files_of, plant

    for name in (MODEL, CLEAN, TEST, CARD, PAIRS):
        writing.check_writable(options.output / name, overwrite=True, inputs=files_of(recipe))
    planted = plant(recipe)
    card, contents = planted_folder.contents(planted, options.output)
    writing.write_together(contents, overwrite=True)
    for path in planted_folder.left_behind(options.output, contents):
        path.unlink()
    table = tables.evaluation_table([(recipe.attack, planted.report)])
    # Pictures are for `badrepair plot`, and no reading for a program.
    told = {name: value for name, value in card.items() if name != "figures"}
    showing.show([table], told, options.format)
    console.note(_summary(planted, options.output))
    console.note(f"next: {_next_step(planted, options.output)}")


def _summary(planted: Planted, folder: Path) -> str:
    """Return what was poisoned, how training went, and where the files are."""
    from badrepair.planted_names import CARD
    from badrepair.planting import TRAINED
    from badrepair.words import counted

    backdoor = planted.backdoor
    poisoned, covers = len(backdoor.poisoned), len(backdoor.covers)
    counts = f"{poisoned} of {len(backdoor.training)} training images poisoned"
    if poisoned < round(planted.recipe.poison_rate * len(backdoor.training)):
        counts += f", all that this attack can of {planted.recipe.poison_rate:.2%}"
    counts += f", {counted(covers, 'cover')}" * bool(covers)
    return (
        f"seed {planted.recipe.seed}; {counts}; {planted.tuned.why(0.0, TRAINED)}; wrote {folder},"
        f" where {CARD} tells the truth"
    )


def _next_step(planted: Planted, folder: Path) -> str:
    """Return a command that repairs the network."""
    from badrepair import planted_names as files

    triggers = [trigger.name for trigger in planted.backdoor.triggers]
    at = {"--model": files.MODEL, "--clean": files.CLEAN, "--test": files.TEST}
    words = [word for option, name in at.items() for word in (option, str(folder / name))]
    words += ["--input-range", "0-1"]
    for name, file in zip(triggers, files.poisoned_names(triggers), strict=True):
        words += ["--poisoned", f"{name}={folder / file}"]
    return shlex.join(["badrepair", "prune", *words, "-o", "repaired.keras"])
