"""What `badrepair repair` does: mend, then measure, judge and write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from badrepair import exhibits, tables
from badrepair.cli import doubts, inputs, outputs
from badrepair.cli.command import pass_gate
from badrepair.cli.measuring import measured, with_files
from badrepair.errors import ModelError, OptionError
from badrepair.metrics import counting
from badrepair.models.guards import disagreement_guard
from badrepair.models.judged import held_out_of
from badrepair.models.save import require_format
from badrepair.verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from badrepair.cli.outputs import Plan
    from badrepair.cli.repair import RepairOptions
    from badrepair.types import Dataset, Repair, RepairResult

REPAIRED, GUARDED = "repaired", "guarded"


def run(method: str, defense: Repair, options: RepairOptions, started: float) -> None:
    """Mend a model as the options say.

    Args:
        method: The repair's name.
        defense: The repair itself.
        options: Of the command.
        started: When the command began, in `time.monotonic` seconds.
    """
    if not hasattr(defense, "repair"):
        problem = f"expected a repair, found {method}, which watches inputs"
        raise OptionError("MethodInvalid", method, problem, "badrepair strip makes a guard")
    written = {REPAIRED: options.output}
    if options.guard:
        written[GUARDED] = outputs.guard_path(options.output)
    for path in written.values():
        require_format(path)
    with outputs.planned(options, options.model, list(written.values())) as plan:
        _mend(method, defense, options, plan, written, started)


def _mend(
    method: str,
    defense: Repair,
    options: RepairOptions,
    plan: Plan,
    written: Mapping[str, Path],
    started: float,
) -> None:
    model = inputs.open_model(options, options.model)
    classes = int(model.output_shape[-1])
    opened = inputs.open_data(options, model, options.model, classes=classes, test=options.test)
    clean = inputs.require_clean(opened)
    inputs.require_running(model, options.model, clean)
    poisoned = [counting(data) for data in opened.poisoned]
    doubts.of_files(options)
    doubts.of_classes(clean, classes)
    with inputs.naming(options.model, model):
        result = defense.repair(model, clean)
    _require_repaired(options, result)
    models = {"before": model, REPAIRED: result.model}
    if options.guard:
        models[GUARDED] = disagreement_guard(model, result.model)
    test = opened.test or _held_out(defense, clean)
    reports = measured(models, test, poisoned, options.batch_size)
    said = verdict(
        reports["before"],
        reports[REPAIRED],
        method=method,
        max_asr=options.max_asr,
        min_accuracy=options.min_accuracy,
        measured_on="--test" if options.test else "the held-out part of --clean",
        asked=[name for name, _ in inputs.named_paths(options.poisoned, "--poisoned")],
        name=REPAIRED,
    )
    why = result.choices.get("why")
    measured_on = _measured_on(options)
    plan.finish(
        command="repair",
        models={path: models[name] for name, path in written.items()},
        shown=[tables.evaluation_table(list(reports.items()))],
        sentences=[measured_on, *([why] if why else []), *said.sentences],
        reports=with_files(reports, {"before": options.model, **written}),
        record={
            "method": method,
            "input_range": {"value": opened.input_range, "why": opened.why},
            "measured_on": measured_on,
            "choices": result.choices,
            "candidates": list(result.curve),
            "figures": {"samples": exhibits.samples(model, test, poisoned, opened.input_range)},
            "verdict": said,
        },
        started=started,
    )
    pass_gate(said.missed)


def _require_repaired(options: RepairOptions, result: RepairResult) -> None:
    """Refuse to write a network that is called repaired and is as it was.

    Raises:
        ModelError: RepairFailed.
    """
    choices: Mapping[str, Any] = result.choices
    parts = [choices, *choices.get("parts", {}).values()]
    chose = [one["chosen"] for one in parts if "chosen" in one]
    if chose and not any(chose):
        raise ModelError(
            "RepairFailed",
            options.model,
            f"expected a repair within the budget, found none: {choices['why']}",
            "give a larger --max-drop, more clean images, or another method",
        )


def _held_out(defense: Repair, clean: Dataset) -> Dataset:
    """Return the part of the clean data that a repair did not train on, as far as is known."""
    share = getattr(defense, "held_out", None)
    if share is None:
        return clean
    _, rest = held_out_of(clean, share, seed=getattr(defense, "seed", 0))
    return rest


def _measured_on(options: RepairOptions) -> str:
    if options.test is None:
        return (
            "clean accuracy is measured on the held-out part of --clean, which chose among the"
            " candidates; give --test for an independent figure"
        )
    if options.tests_on_clean:
        return (
            "clean accuracy is measured on --test, which holds the images of --clean: they"
            " mended the model"
        )
    return "clean accuracy is measured on --test, which chose nothing"
