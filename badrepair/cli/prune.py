"""`badrepair prune`: fine-pruning from model file to model file."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

import typer

from badrepair.cli.command import takes
from badrepair.cli.options import (
    OUTPUT,
    DefenseOptions,
    Guard,
    MaxAsr,
    MinAccuracy,
    Model,
    Output,
)
from badrepair.errors import OptionError
from badrepair.starting import start_tensorflow

PRUNING, TUNING = "The pruning", "The fine-tuning"


class Rank(StrEnum):
    """Which channels go first."""

    activation = "activation"
    contrast = "contrast"
    lipschitz = "lipschitz"
    random = "random"


class Augment(StrEnum):
    """How images are varied in fine-tuning."""

    none = "none"
    flip = "flip"
    shift = "shift"


@dataclass(frozen=True, kw_only=True)
class PruneOptions(DefenseOptions):
    """Options of `badrepair prune`."""

    model: Model
    output: Output
    layer: Annotated[
        list[str],
        typer.Option(
            metavar="NAME|auto|all",
            help="Layer to prune; repeatable. auto is the last convolution, all every one that"
            " can be pruned.",
            rich_help_panel=PRUNING,
        ),
    ] = field(default_factory=lambda: ["auto"])
    rank: Annotated[
        Rank,
        typer.Option(
            help="What goes first: channels idle on clean images; those that --poisoned images"
            " excite; those of steep filters; any.",
            rich_help_panel=PRUNING,
        ),
    ] = Rank.activation
    max_drop: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Clean accuracy that may be lost, 0.04 is four points.",
            rich_help_panel=PRUNING,
        ),
    ] = 0.04
    levels: Annotated[
        str | None,
        typer.Option(
            metavar="DROP,DROP,…",
            help="Instead of --max-drop: one model for each, OUT-02.keras for 0.02.",
            rich_help_panel=PRUNING,
        ),
    ] = None
    knee: Annotated[
        bool,
        typer.Option(
            "--knee",
            help="Stop at the elbow of the curve, where that comes first.",
            rich_help_panel=PRUNING,
        ),
    ] = False
    bisect: Annotated[
        bool,
        typer.Option(
            "--bisect",
            help="Find the level by bisection: quicker for many channels, without the curve.",
            rich_help_panel=PRUNING,
        ),
    ] = False
    held_out: Annotated[
        float,
        typer.Option(
            help="Share of --clean that only chooses the level and the epoch.",
            rich_help_panel=PRUNING,
        ),
    ] = 0.2
    memory: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="MIB",
            help="What cached activations may hold in memory; more goes to a scratch file.",
            rich_help_panel=PRUNING,
        ),
    ] = 1024
    epochs: Annotated[
        int,
        typer.Option(min=0, help="Most passes; 0 prunes only.", rich_help_panel=TUNING),
    ] = 20
    patience: Annotated[
        int,
        typer.Option(
            min=0,
            help="Stop after so many epochs in a row below the best; 0 never does.",
            rich_help_panel=TUNING,
        ),
    ] = 5
    learning_rate: Annotated[float, typer.Option(help="Adam's step.", rich_help_panel=TUNING)] = (
        1e-3
    )
    tuning_batch: Annotated[
        int, typer.Option(min=1, help="Images a step.", rich_help_panel=TUNING)
    ] = 32
    augment: Annotated[
        Augment,
        typer.Option(
            help="Vary the images: mirrored, or moved by up to an eighth.", rich_help_panel=TUNING
        ),
    ] = Augment.none
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from OUT.checkpoint, which an unfinished run leaves.",
            rich_help_panel=TUNING,
        ),
    ] = False
    slim: Annotated[
        bool,
        typer.Option(
            "--slim",
            help="Also write OUT-slim: the same answers from a network without the pruned"
            " channels.",
            rich_help_panel=OUTPUT,
        ),
    ] = False
    guard: Guard = False
    max_asr: MaxAsr = None
    min_accuracy: MinAccuracy = None

    def max_drops(self) -> tuple[float, ...]:
        """Return the budgets, one a model to write."""
        if self.levels is None:
            return (self.max_drop,)
        try:
            drops = tuple(float(text) for text in self.levels.split(","))
        except ValueError:
            drops = ()
        if not drops or not all(0 <= drop <= 1 for drop in drops) or len({*drops}) < len(drops):
            raise OptionError(
                "OptionInvalid",
                "--levels",
                f"expected different drops in [0, 1] with commas between, found {self.levels!r}",
                "--levels 0.02,0.04,0.10",
            )
        return drops


@takes(PruneOptions)
def prune(options: PruneOptions) -> None:
    """Repair a model: prune the channels that clean data leaves idle, then fine-tune.

    Fine-pruning after Liu et al., 2018. Poisoned files are only for measuring; with
    --rank contrast they choose too.
    """
    started = time.monotonic()
    start_tensorflow()
    from badrepair.cli.pruning import run

    run(options, started)
