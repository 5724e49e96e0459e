"""`badrepair evaluate`: what models do with clean and poisoned images, side by side."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from badrepair.cli import console
from badrepair.cli.command import pass_gate, takes
from badrepair.cli.options import (
    MODEL,
    OUTPUT,
    Arch,
    Color,
    DataOptions,
    Layout,
    MaxAsr,
    MinAccuracy,
    Overwrite,
    TrustModel,
)
from badrepair.errors import DataError, OptionError
from badrepair.starting import start_tensorflow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

    from badrepair.types import Report


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
    trust_model: TrustModel = field(default_factory=list)
    classes: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="N",
            help="Number of classes, where a model of N+1 outputs stands alone.",
            rich_help_panel=MODEL,
        ),
    ] = None
    max_asr: MaxAsr = None
    min_accuracy: MinAccuracy = None
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

    A model that badrepair wrote with --test can be given alone: its record tells the data.
    """
    start_tensorflow()
    from badrepair import records, tables
    from badrepair.cli import inputs, outputs, showing
    from badrepair.cli.claiming import claimed
    from badrepair.models.load import load_model
    from badrepair.trusting import trusted_files, warn_of_strangers
    from badrepair.unchanged import Snapshot

    named = inputs.named_paths(_with_baseline_first(options), "--model")
    if options.clean is None and not options.poisoned:
        options = _with_recorded_data(options, [path for _, path in named])
    sources = [path for _, path in named] + outputs.files_of(options)
    written = [] if options.output is None else [options.output]
    with claimed(written, overwrite=options.overwrite, inputs=sources):
        before = Snapshot.of(sources)
        files = (*(path for _, path in named), inputs.arch_file(options.arch))
        warn_of_strangers(files, options.trust_model)
        models = {
            name: load_model(path, arch=options.arch, trusted=options.trust_model)
            for name, path in named
        }
        reports = _reports(options, models, dict(named))
        measured = [outputs.evaluated(name, reports[name], path, {}) for name, path in named]
        trusted = trusted_files(sources, options.trust_model)
        content = {**records.report_json(measured), "trusted": trusted}
        before.require_same()
        for path in written:
            records.write_record(path, content, overwrite=options.overwrite)
    showing.show([tables.evaluation_table(list(reports.items()))], content, options.format)
    judged = list(reports.items())[options.baseline is not None :] or list(reports.items())
    _judge(judged, options)


def _with_baseline_first(options: EvaluateOptions) -> list[str]:
    """Return the models to measure; a baseline that is listed among them counts once."""
    from badrepair.cli.inputs import named_path

    if options.baseline is None:
        return options.model
    baseline = named_path(options.baseline)
    return [options.baseline, *(m for m in options.model if named_path(m) != baseline)]


def _reports(
    options: EvaluateOptions, models: dict[str, keras.Model], paths: dict[str, Path]
) -> dict[str, Report]:
    from badrepair.cli import inputs
    from badrepair.evaluation import against, problem_classes
    from badrepair.evaluation import evaluate as measure

    classes = options.classes or min(problem_classes(model) for model in models.values())
    reports: dict[str, Report] = {}
    for name, model in models.items():
        opened = inputs.open_data(options, model, paths[name], classes=classes, model_name=name)
        with inputs.naming(paths[name], model):
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
    from badrepair import records

    for path in paths:
        record = records.record_of(path)
        test = records.text_in(record, "options", "test")
        if record is None or test is None:
            continue
        beside = records.record_path(path)
        poisoned = _recorded_poisoned(record, beside)
        _require_unchanged(record, [test, *poisoned], beside)
        named = "".join(f" --poisoned {text}" for text in poisoned)
        console.note(f"data from {beside}: --clean {test}{named}")
        return dataclasses.replace(
            options, clean=Path(test), poisoned=poisoned, **_recorded_reading(record)
        )
    raise OptionError(
        "DataMissing",
        "--clean",
        "expected data to measure on, found none, nor a record with --test beside the model",
        "give --clean FILE",
    )


def _recorded_poisoned(record: dict[str, Any], beside: Path) -> list[str]:
    poisoned = record["options"].get("poisoned") or []
    if not isinstance(poisoned, list) or not all(isinstance(text, str) for text in poisoned):
        problem = f"expected names of files under options.poisoned, found {poisoned!r:.40}"
        raise DataError("RecordInvalid", beside, problem, "give --clean and --poisoned")
    return poisoned


def _recorded_reading(record: dict[str, Any]) -> dict[str, Any]:
    """Return the options that say how the recorded files are stored."""
    from badrepair.records import text_in

    layout, color = (text_in(record, "options", key) for key in ("layout", "color"))
    offset = record["options"].get("label_offset")
    return {
        "label_offset": offset if type(offset) is int else 0,
        "skip_bad": record["options"].get("skip_bad") is True,
        "image_key": text_in(record, "options", "image_key"),
        "label_key": text_in(record, "options", "label_key"),
        "layout": Layout(layout) if layout in set(Layout) else Layout.auto,
        "color": Color(color) if color in set(Color) else Color.rgb,
    }


def _require_unchanged(record: dict[str, Any], texts: Sequence[str], beside: Path) -> None:
    """Refuse data that is not what the record was made with."""
    from badrepair.cli.inputs import named_path
    from badrepair.records import identity, text_in

    inputs = record.get("inputs")
    known = {
        text_in(entry, "path"): text_in(entry, "sha256")
        for entry in (inputs if isinstance(inputs, list) else [])
    }
    for text in texts:
        path = Path(text) if text in known else named_path(text)[1]
        if str(path) in known and identity(path)["sha256"] != known[str(path)]:
            raise DataError(
                "InputChanged",
                path,
                f"expected the file that {beside} names, found another content",
                "give --clean and --poisoned",
            )


def _judge(reports: Sequence[tuple[str, Report]], options: EvaluateOptions) -> None:
    """Exit with 1 if a model misses the gate; what was not measured misses it too."""
    from badrepair.cli.inputs import named_paths
    from badrepair.verdict import gate

    asked = [name for name, _ in named_paths(options.poisoned, "--poisoned")]
    gates = {"max_asr": options.max_asr, "min_accuracy": options.min_accuracy}
    pass_gate(gate(reports, **gates, asked=asked))
