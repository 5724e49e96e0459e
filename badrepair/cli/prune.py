"""`badrepair prune`: fine-pruning from model file to model file."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from badrepair.cli import console
from badrepair.cli.command import takes
from badrepair.cli.options import OUTPUT, DefenseOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

    from badrepair.cli.inputs import Inputs
    from badrepair.types import Dataset, RepairResult, Report

PRUNING = "The pruning"


@dataclass(frozen=True, kw_only=True)
class PruneOptions(DefenseOptions):
    """Options of `badrepair prune`."""

    layer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Layer to prune; the last convolution if not given.",
            rich_help_panel=PRUNING,
        ),
    ] = None
    max_drop: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Clean accuracy that may be lost, 0.04 is four points.",
            rich_help_panel=PRUNING,
        ),
    ] = 0.04
    epochs: Annotated[
        int,
        typer.Option(min=0, help="Fine-tuning passes; 0 prunes only.", rich_help_panel=PRUNING),
    ] = 20
    learning_rate: Annotated[
        float, typer.Option(help="Adam's step in fine-tuning.", rich_help_panel=PRUNING)
    ] = 1e-3
    tuning_batch: Annotated[
        int, typer.Option(min=1, help="Images a fine-tuning step.", rich_help_panel=PRUNING)
    ] = 32
    held_out: Annotated[
        float,
        typer.Option(
            help="Share of --clean that only chooses the level and the epoch.",
            rich_help_panel=PRUNING,
        ),
    ] = 0.2
    guard: Annotated[
        bool,
        typer.Option(
            "--guard",
            help="Also write OUT-guard.keras: the model that answers N where the original and the"
            " repaired one disagree.",
            rich_help_panel=OUTPUT,
        ),
    ] = False


@takes(PruneOptions)
def prune(options: PruneOptions) -> None:
    """Repair a model: prune the channels that clean data leaves idle, then fine-tune.

    Fine-pruning after Liu et al., 2018. Poisoned files are only for measuring.
    """
    started = time.monotonic()
    console.start_tensorflow()
    from badrepair import exhibits, tables
    from badrepair.cli import inputs, outputs
    from badrepair.defenses.fine_pruning import FinePruning
    from badrepair.metrics import counting
    from badrepair.models.save import require_format

    defense = FinePruning(
        layer=options.layer,
        max_drop=options.max_drop,
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        tuning_batch=options.tuning_batch,
        held_out=options.held_out,
        batch_size=options.batch_size,
        seed=options.seed,
    )
    require_format(options.output)
    guard_path = options.output.with_name(f"{options.output.name.split('.')[0]}-guard.keras")
    targets = [options.output, *([guard_path] if options.guard else [])]
    plan = outputs.plan(options, targets)
    model = inputs.open_model(options)
    opened = inputs.open_data(
        options, model, options.model, classes=int(model.output_shape[-1]), test=options.test
    )
    clean = inputs.require_clean(opened)
    result = defense.repair(model, clean)
    test = opened.test or clean.split(1 - options.held_out, seed=options.seed)[1]
    models = {"before": model, **result.stages}
    if options.guard:
        from badrepair.models.guards import disagreement_guard

        models["guarded"] = disagreement_guard(model, result.model)
    poisoned = [counting(data) for data in opened.poisoned]
    reports = _measure(models, test, opened, options.batch_size)
    measured_on = _measured_on(opened)
    inputs.warn_of_doubtful(
        options, result.choices["baseline_accuracy"], result.choices["images"]["held_out"]
    )
    files_of = {"before": options.model, list(result.stages)[-1]: options.output}
    written = {options.output: result.model}
    if options.guard:
        written[guard_path] = models["guarded"]
        files_of["guarded"] = guard_path
    plan.finish(
        command="prune",
        models=written,
        shown=[tables.evaluation_table(list(reports.items()))],
        sentences=[result.choices["why"], result.choices["why_epoch"], measured_on],
        reports={name: (report, files_of.get(name)) for name, report in reports.items()},
        record={
            "input_range": {"value": opened.input_range, "why": opened.why},
            "measured_on": measured_on,
            "choices": result.choices,
            "curve": _curve(result, model, poisoned, options.batch_size),
            "figures": {
                "curve": {"n": {data.name: len(data) for data in poisoned}},
                "activations": exhibits.activations(
                    model,
                    result.choices["layer"],
                    result.choices["order"],
                    test,
                    poisoned,
                    batch_size=options.batch_size,
                ),
                "samples": exhibits.samples(model, test, poisoned, opened.input_range),
            },
        },
        started=started,
    )


def _measure(
    models: dict[str, keras.Model], test: Dataset, opened: Inputs, batch_size: int
) -> dict[str, Report]:
    from badrepair.evaluation import against, evaluate

    reports: dict[str, Report] = {}
    for name, model in models.items():
        report = evaluate(model, test, opened.poisoned, batch_size=batch_size)
        reports[name] = against(report, reports["before"]) if reports else report
    return reports


def _measured_on(opened: Inputs) -> str:
    if opened.test is not None:
        return "clean accuracy is measured on --test, which chose nothing"
    return (
        "clean accuracy is measured on the held-out part of --clean, which chose how much to"
        " prune; give --test for an independent figure"
    )


def _curve(
    result: RepairResult, model: keras.Model, poisoned: Sequence[Dataset], batch_size: int
) -> list[dict[str, Any]]:
    """Return the pruning curve; attack success joins it here, after everything is chosen."""
    import numpy as np

    from badrepair.models.pruner import ChannelPruner

    pruner = ChannelPruner(model, result.choices["layer"], batch_size=batch_size)
    order = np.asarray(result.choices["order"])
    success = {data.name: pruner.sweep(order, data).tolist() for data in poisoned}
    return [
        {**row, "attack_success": {name: shares[level] for name, shares in success.items()}}
        for level, row in enumerate(result.curve)
    ]
