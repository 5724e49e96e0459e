"""What `badrepair strip` does with clean images: fit, measure, judge and write."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from badrepair import tables
from badrepair.cli import console, doubts, inputs, outputs, telling
from badrepair.copies import distinct
from badrepair.defenses.max_softmax import MaxSoftmax
from badrepair.defenses.strip import Strip
from badrepair.detectors.file import Binding, detector_bytes
from badrepair.errors import DataError, OptionError
from badrepair.evaluation import evaluate_detector
from badrepair.metrics import counting
from badrepair.models.onnx_export import onnx_bytes, require_onnx
from badrepair.models.save import require_guard_format
from badrepair.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import keras

    from badrepair.cli.inputs import Inputs
    from badrepair.cli.outputs import Plan
    from badrepair.cli.strip import StripOptions
    from badrepair.detectors.fitted_strip import FittedStrip
    from badrepair.types import Dataset

# Of --clean, where no --test is given: the rest calibrates.
TEST_SHARE = 0.25


def run(options: StripOptions, started: float) -> None:
    """Guard a model as the options say.

    Args:
        options: Of the command.
        started: When the command began, in `time.monotonic` seconds.
    """
    assert options.model is not None
    defense = _defense(options)
    _require_formats(options.output)
    with outputs.planned(options, options.model, options.output) as plan:
        _guard(options, plan, defense, started)


def _guard(options: StripOptions, plan: Plan, defense: Strip, started: float) -> None:
    assert options.model is not None
    model = inputs.open_model(options, options.model)
    opened = inputs.open_data(
        options, model, options.model, classes=int(model.output_shape[-1]), test=options.test
    )
    fitting, test = _parts(options, opened, defense)
    inputs.require_running(model, options.model, fitting)
    with inputs.naming(options.model, model):
        detector = defense.fit(model, fitting)
        floor = _floor(options).fit(model, fitting)
        report = evaluate_detector(
            detector, model, test, opened.poisoned, floor=floor, batch_size=options.batch_size
        )
    sets = {"clean": test, **{data.name: counting(data) for data in opened.poisoned}}
    examined = {name: detector.examine(data.images) for name, data in sets.items()}
    if report.before.clean is not None:
        doubts.of_accuracy(report.before.clean.accuracy.value)
    doubts.of_files(options)
    made = _made(options, model, detector, opened)
    speed, overlays = telling.speed(made, detector, model, test)
    measured_on = telling.measured_on(options, len(test))
    overlays_on_average = {name: float(one.overlays_used.mean()) for name, one in examined.items()}
    plan.finish(
        command="strip",
        models=made,
        shown=[
            tables.detection_table(report.false_rejection_rates, report.rows),
            tables.evaluation_table([("before", report.before), ("guarded", report.guarded)]),
            tables.latency_table(speed, overlays),
        ],
        sentences=telling.sentences(options, detector, report, overlays_on_average, measured_on),
        reports={
            "before": (report.before, options.model),
            "guarded": (report.guarded, options.output[0]),
        },
        record={
            "input_range": {"value": opened.input_range, "why": opened.why},
            "measured_on": measured_on,
            "choices": detector.choices,
            "detection": {
                "false_rejection_rates": report.false_rejection_rates,
                "poisoned": report.rows,
                "overlays_used": overlays_on_average,
            },
            "speed": speed,
            "figures": telling.figures(options, detector, report, sets, examined, opened),
        },
        started=started,
    )


def _defense(options: StripOptions) -> Strip:
    return Strip(
        overlays=options.overlays,
        frr=options.frr,
        calibration=options.calibration.value,
        confidence=options.confidence,
        mix=options.mix.value,
        image_weight=options.image_weight,
        overlay_weight=options.overlay_weight,
        exact=options.exact,
        batch_size=options.mixes_a_call,
        seed=options.seed,
    )


def _floor(options: StripOptions) -> MaxSoftmax:
    """Return the simplest detector there is: what it catches is no merit of STRIP."""
    return MaxSoftmax(
        frr=options.frr,
        calibration=options.calibration.value,
        confidence=options.confidence,
        batch_size=options.batch_size,
    )


def _require_formats(targets: Sequence[Path]) -> None:
    for target in targets:
        require_guard_format(target)
        if target.suffix == ".onnx":
            require_onnx()
    twice = [path for path, count in Counter(targets).items() if count > 1]
    if twice:
        raise OptionError("OutputTwice", twice[0], "expected different outputs, found this twice")


def _parts(options: StripOptions, opened: Inputs, defense: Strip) -> tuple[Dataset, Dataset]:
    """Return the clean images that fit and those that measure, without copies."""
    clean = _without_copies(inputs.require_clean(opened))
    if opened.test is None:
        if round((1 - TEST_SHARE) * len(clean)) < defense.clean_images_needed:
            raise defense.too_few(clean, share=1 - TEST_SHARE)
        return clean.split(1 - TEST_SHARE, seed=options.seed)
    if options.tests_on_clean:
        return clean, opened.test
    return clean, _without_copies(opened.test, beside=clean)


def _without_copies(dataset: Dataset, *, beside: Dataset | None = None) -> Dataset:
    """Return the images that are no copies of others, and say so if there are any."""
    kept = distinct(dataset, beside=beside)
    others = "others" if beside is None else f"others, or of images in {beside.name}"
    if not len(kept):
        problem = f"expected images of its own, found nothing but copies of {others}"
        raise DataError("CopiesOnly", dataset.name, problem, "leave --test out, or give others")
    if len(kept) < len(dataset):
        dropped = counted(len(dataset) - len(kept), "image")
        console.note(f"{dataset.name}: left out {dropped}: copies of {others}")
    return kept


def _made(
    options: StripOptions, model: keras.Model, detector: FittedStrip, opened: Inputs
) -> dict[Path, keras.Model | bytes]:
    """Return what is written, by output file."""
    guarded = detector.as_model()
    makers: dict[str, Any] = {
        ".keras": lambda: guarded,
        ".onnx": lambda: onnx_bytes(guarded),
        ".npz": lambda: detector_bytes(detector, _binding(options, model, opened)),
    }
    return {path: makers[path.suffix]() for path in options.output}


def _binding(options: StripOptions, model: keras.Model, opened: Inputs) -> Binding:
    """Return what ties a detector to the model's files."""
    assert options.model is not None
    return Binding.of_files(
        options.model,
        weights=options.weights,
        arch=options.arch,
        input_range=opened.input_range,
        classes=int(model.output_shape[-1]),
        color=options.color.value,
    )
