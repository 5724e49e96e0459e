"""`badrepair evaluate`: what models do with clean and poisoned images, side by side."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from badrepair.cli import console
from badrepair.cli.command import GATE_MISSED, takes
from badrepair.cli.options import MODEL, OUTPUT, Arch, DataOptions, Overwrite
from badrepair.errors import DataError, OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

    from badrepair.types import Report

GATE = "The gate: exit code 1 if it is missed"


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(DataOptions):
    """Options of `badrepair evaluate`."""

    model: Annotated[
        list[str],
        typer.Option(
            metavar="[NAME=]FILE", help="A model to measure; repeatable.", rich_help_panel=MODEL
        ),
    ]
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="[NAME=]FILE",
            help="The model before its repair, for the DER.",
            rich_help_panel=MODEL,
        ),
    ] = None
    arch: Arch = None
    classes: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="N",
            help="Number of classes, where a model of N+1 outputs stands alone.",
            rich_help_panel=MODEL,
        ),
    ] = None
    max_asr: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Largest attack success that passes.", rich_help_panel=GATE
        ),
    ] = None
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Smallest clean accuracy that passes.", rich_help_panel=GATE
        ),
    ] = None
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the JSON here too.",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    overwrite: Overwrite = False


@takes(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> None:
    """Measure models on clean and poisoned images: every rate with n and its interval.

    A model that badrepair wrote can be given alone: its record tells the data it was made with.
    """
    console.start_tensorflow()
    from badrepair import files, records, tables
    from badrepair.cli import inputs, outputs
    from badrepair.models.load import load_model

    named = inputs.named_paths(_with_baseline_first(options), "--model")
    if options.clean is None and not options.poisoned:
        options = _with_recorded_data(options, [path for _, path in named])
    if options.output is not None:
        sources = [path for _, path in named]
        files.check_writable(options.output, overwrite=options.overwrite, inputs=sources)
    models = {name: load_model(path, arch=options.arch) for name, path in named}
    reports = _reports(options, models)
    measured = [outputs.evaluated(name, path, reports[name]) for name, path in named]
    content = records.report_json(measured)
    outputs.show([tables.evaluation_table(list(reports.items()))], content, options.format)
    if options.output is not None:
        records.write_record(options.output, content, overwrite=options.overwrite)
    judged = list(reports.items())[options.baseline is not None :] or list(reports.items())
    _judge(judged, options)


def _with_baseline_first(options: EvaluateOptions) -> list[str]:
    """Return the models to measure; a baseline that is listed among them counts once."""
    from badrepair.cli.inputs import named_path

    if options.baseline is None:
        return options.model
    baseline = named_path(options.baseline)[1]
    return [options.baseline, *(m for m in options.model if named_path(m)[1] != baseline)]


def _reports(options: EvaluateOptions, models: dict[str, keras.Model]) -> dict[str, Report]:
    from badrepair.cli import inputs
    from badrepair.evaluation import against, problem_classes
    from badrepair.evaluation import evaluate as measure

    classes = options.classes or min(problem_classes(model) for model in models.values())
    reports: dict[str, Report] = {}
    for name, model in models.items():
        opened = inputs.open_data(options, model, classes=classes, model_name=name)
        reports[name] = measure(
            model, opened.clean, opened.poisoned, classes=classes, batch_size=options.batch_size
        )
        if opened.clean is not None:
            _hint_at_extra_output(name, model, int(max(opened.clean.labels)), classes)
    if options.baseline is None:
        return reports
    first, *rest = reports
    return {first: reports[first], **{n: against(reports[n], reports[first]) for n in rest}}


def _hint_at_extra_output(name: str, model: keras.Model, largest: int, classes: int) -> None:
    """Say so where the last output may mean "poisoned", rather than count on either reading."""
    outputs = int(model.output_shape[-1])
    if outputs == classes and largest == classes - 2:
        console.note(
            f"{name}: class {classes - 1} is in no clean label; if it means poisoned, give"
            f" --classes {classes - 1}"
        )


def _with_recorded_data(options: EvaluateOptions, paths: Sequence[Path]) -> EvaluateOptions:
    """Return the options with the data of the first model that has a record beside it."""
    from badrepair import files, records

    for path in paths:
        beside = records.record_path(path)
        if not beside.exists():
            continue
        record = records.read_record(beside)
        used: dict[str, Any] = record.get("options") or {}
        test = used.get("test") or used.get("clean")
        poisoned = used.get("poisoned") or []
        if test is None:
            continue
        known = {entry["path"]: entry["sha256"] for entry in record.get("inputs", [])}
        for text in (test, *(p.partition("=")[2] or p for p in poisoned)):
            file = files.require_file(Path(text))
            if text in known and files.sha256(file) != known[text]:
                raise DataError(
                    "InputChanged",
                    text,
                    f"expected the file that {beside} names, found another content",
                    "give --clean and --poisoned",
                )
        console.note(
            f"data from {beside}: --clean {test}" + "".join(f" --poisoned {p}" for p in poisoned)
        )
        return dataclasses.replace(options, clean=Path(test), poisoned=list(poisoned))
    raise OptionError(
        "DataMissing", "--clean", "expected data to measure on, found none", "give --clean FILE"
    )


def _judge(reports: Sequence[tuple[str, Report]], options: EvaluateOptions) -> None:
    """Exit with 1 if a model misses the gate; what was not measured misses it too."""
    missed = []
    for name, report in reports:
        if options.min_accuracy is not None:
            accuracy = None if report.clean is None else report.clean.accuracy.value
            if accuracy is None or accuracy < options.min_accuracy:
                found = "not measured" if accuracy is None else f"{accuracy:.2%}"
                missed.append(
                    f"{name}: clean accuracy {found}, at least {options.min_accuracy:.2%}"
                )
        if options.max_asr is not None:
            rates = {row.name: row.attack_success_rate.value for row in report.attacks}
            if not rates:
                missed.append(f"{name}: attack success not measured, at most {options.max_asr:.2%}")
            missed += [
                f"{name}: attack success of {trigger} {value:.2%}, at most {options.max_asr:.2%}"
                for trigger, value in rates.items()
                if value > options.max_asr
            ]
    if missed:
        console.complain("gate missed: " + "; ".join(missed))
        raise typer.Exit(GATE_MISSED)
