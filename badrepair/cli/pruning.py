"""What `badrepair prune` does: rank, choose, tune; then measure, judge and write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from badrepair import exhibits, tables, writing
from badrepair.cli import doubts, inputs, measuring, outputs, repairing
from badrepair.cli.command import pass_gate
from badrepair.defenses.fine_pruning import FinePruning
from badrepair.errors import DataError, OptionError
from badrepair.metrics import counting
from badrepair.models.costs import costs
from badrepair.models.save import require_format
from badrepair.verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import keras

    from badrepair.cli.outputs import Plan
    from badrepair.cli.prune import PruneOptions
    from badrepair.cli.repairing import Repaired
    from badrepair.defenses.fine_pruning import Measured
    from badrepair.models.costs import Cost
    from badrepair.types import Dataset, RepairResult, Report
    from badrepair.verdict import Verdict

# Of the poisoned images, where they rank: the rest measures.
RANKING_SHARE = 0.5


def run(options: PruneOptions, started: float) -> None:
    """Repair a model as the options say.

    Args:
        options: Of the command.
        started: When the command began, in `time.monotonic` seconds.
    """
    drops = options.max_drops()
    _require_sense(options)
    targets = [repairing.target(options, drop) for drop in drops]
    written = [path for out in targets for path in repairing.paths(options, out).values()]
    for path in written:
        require_format(path)
    with outputs.planned(options, options.model, written) as plan, repairing.resumable(targets):
        for path in map(repairing.checkpoint_path, targets):
            writing.check_writable(path, overwrite=True, inputs=plan.sources)
        _repair(options, plan, drops, started)


def _repair(options: PruneOptions, plan: Plan, drops: Sequence[float], started: float) -> None:
    model = inputs.open_model(options, options.model)
    classes = int(model.output_shape[-1])
    opened = inputs.open_data(options, model, options.model, classes=classes, test=options.test)
    clean = inputs.require_clean(opened)
    inputs.require_running(model, options.model, clean)
    ranking, poisoned = _parts(options, [counting(data) for data in opened.poisoned])
    defense = FinePruning(**_settings(options), rank=options.rank.value, poisoned=ranking)
    doubts.of_files(options)
    doubts.of_classes(clean, classes)
    with inputs.naming(options.model, model):
        measured = defense.measure(model, clean, drops)
        if options.slim:
            repairing.require_slimmable(measured)
    doubts.of_held_out(len(measured.held_out))
    doubts.of_accuracy(measured.curve.baseline)
    identity = repairing.identity_of_run(options, opened.input_range)
    repairs = [
        repairing.repair(options, defense, measured, model, drop, identity) for drop in drops
    ]
    repairing.require_repaired(options, repairs)
    test = opened.test or measured.held_out
    models = {"before": model, **{n: m for made in repairs for n, m in made.models.items()}}
    reports = measuring.measured(models, test, poisoned, options.batch_size)
    verdicts = {made.name: _verdict(options, reports, made) for made in repairs}
    sizes = _sizes(options, model, repairs)
    own = [
        {
            "choices": made.result.choices,
            "not_slim": made.whole,
            "verdict": verdicts[made.name],
        }
        for made in repairs
    ]
    measured_on = _measured_on(options)
    plan.finish(
        command="prune",
        models={path: models[name] for made in repairs for name, path in made.files.items()},
        shown=[
            tables.evaluation_table(list(reports.items())),
            *([tables.cost_table(sizes)] if sizes else []),
        ],
        sentences=_sentences(measured_on, measured, repairs, verdicts),
        reports=measuring.with_files(reports, _files(options.model, repairs)),
        record={
            "input_range": {"value": opened.input_range, "why": opened.why},
            "measured_on": measured_on,
            "curve": _curve(repairs[0].result, measured, poisoned),
            "costs": sizes,
            "figures": {
                "curve": {"n": {data.name: len(data) for data in poisoned}},
                "activations": exhibits.activations(
                    measured.pruner, measured.order, test, poisoned
                ),
                "samples": exhibits.samples(model, test, poisoned, opened.input_range),
            },
        },
        own={
            path: entry
            for made, entry in zip(repairs, own, strict=True)
            for path in made.files.values()
        },
        together={"levels": own} if options.levels else own[0],
        started=started,
    )
    for made in repairs:
        made.checkpoint.clear()
    pass_gate([line for one in verdicts.values() for line in one.missed])


def _require_sense(options: PruneOptions) -> None:
    """Refuse options that make no sense before anything is read."""
    if options.rank == "contrast" and not options.poisoned:
        raise OptionError(
            "OptionInvalid",
            "--rank",
            "expected --poisoned for contrast, found none",
            "give --poisoned FILE, or another --rank",
        )
    FinePruning(**_settings(options))


def _settings(options: PruneOptions) -> dict[str, Any]:
    """Return the defence's settings, but for those that data belongs to."""
    return {
        "layers": tuple(options.layer),
        "knee": options.knee,
        "bisect": options.bisect,
        "epochs": options.epochs,
        "patience": options.patience,
        "learning_rate": options.learning_rate,
        "tuning_batch": options.tuning_batch,
        "augment": options.augment.value,
        "held_out": options.held_out,
        "batch_size": options.batch_size,
        "memory_mb": options.memory,
        "seed": options.seed,
    }


def _parts(
    options: PruneOptions, poisoned: Sequence[Dataset]
) -> tuple[list[Dataset], list[Dataset]]:
    """Return the poisoned images that rank, if they are asked to, and those that measure."""
    if options.rank != "contrast":
        return [], list(poisoned)
    parts = [data.split(RANKING_SHARE, seed=options.seed) for data in poisoned]
    if not parts or not all(len(part) for both in parts for part in both):
        raise DataError(
            "TooFewImages",
            "--poisoned",
            "expected images that do not show the target, some to rank with and others to measure"
            f" with, found {', '.join(str(len(data)) for data in poisoned) or 'none'}",
            "give more of them, or another --rank",
        )
    return [first for first, _ in parts], [rest for _, rest in parts]


def _sizes(
    options: PruneOptions, model: keras.Model, repairs: Sequence[Repaired]
) -> Mapping[str, Cost]:
    """Return what the network costs as it was and without the pruned channels."""
    slim = {n: m for made in repairs for n, m in made.models.items() if n.startswith("slim")}
    return costs({"before": model, **slim}, batch_size=options.batch_size) if slim else {}


def _verdict(options: PruneOptions, reports: Mapping[str, Report], made: Repaired) -> Verdict:
    return verdict(
        reports["before"],
        reports[made.name],
        method="fine-pruning" if made.result.choices["epoch"] else "pruning",
        max_asr=options.max_asr,
        min_accuracy=options.min_accuracy,
        measured_on="--test" if options.test else "the held-out part of --clean",
        asked=[name for name, _ in inputs.named_paths(options.poisoned, "--poisoned")],
        name=made.name,
    )


def _sentences(
    measured_on: str,
    measured: Measured,
    repairs: Sequence[Repaired],
    verdicts: Mapping[str, Verdict],
) -> list[str]:
    skipped = measured.pruner.skipped.items()
    sentences = [f"{layer} was left out: {why}" for layer, why in skipped]
    sentences.append(measured_on)
    for made in repairs:
        choices, whole = made.result.choices, made.whole.items()
        own = [choices["why"], choices["why_epoch"]]
        if not choices["level"] and not choices["epoch"]:
            own.append("nothing was pruned or tuned: the model is as it was")
        own += [f"{layer} keeps its channels in the slim model: {why}" for layer, why in whole]
        own += verdicts[made.name].sentences
        ahead = f"{made.output.name}: " if len(repairs) > 1 else ""
        sentences += [ahead + sentence for sentence in own]
    return sentences


def _measured_on(options: PruneOptions) -> str:
    if options.test is not None:
        if options.tests_on_clean:
            return (
                "clean accuracy is measured on --test, which holds the images of --clean: they"
                " tuned the model and chose how much to prune"
            )
        return "clean accuracy is measured on --test, which chose nothing"
    return (
        "clean accuracy is measured on the held-out part of --clean, which chose how much to"
        " prune; give --test for an independent figure"
    )


def _curve(
    result: RepairResult, measured: Measured, poisoned: Sequence[Dataset]
) -> list[dict[str, Any]]:
    """Return the pruning curve; attack success joins it here, after everything is chosen."""
    counts = list(measured.curve.accuracies)
    success = {
        data.name: measured.pruner.sweep(measured.order, data, counts).tolist() for data in poisoned
    }
    return [
        {**row, "attack_success": {name: shares[level] for name, shares in success.items()}}
        for level, row in enumerate(result.curve)
    ]


def _files(model: Path, repairs: Sequence[Repaired]) -> dict[str, Path]:
    """Return the file of every network that has one, by name."""
    return {"before": model, **{n: p for made in repairs for n, p in made.files.items()}}
