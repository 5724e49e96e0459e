"""What `badrepair strip` tells of a guard: sentences, figures, and how long its files take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from badrepair import exhibits
from badrepair.calibration import p_values
from badrepair.cli import inputs
from badrepair.guard_verdict import guard_verdict
from badrepair.models import latency
from badrepair.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import keras

    from badrepair.cli.inputs import Inputs
    from badrepair.cli.strip import StripOptions
    from badrepair.detectors.fitted_strip import FittedStrip
    from badrepair.models.latency import Latency
    from badrepair.types import Dataset, DetectionReport, Examination


def measured_on(options: StripOptions, images: int) -> str:
    """Return one sentence that says which images measured."""
    if options.test is None:
        return f"measured on {images} clean images that calibrated nothing (a part of --clean)"
    if options.tests_on_clean:
        return (
            f"measured on {images} clean images of --test, which holds the images of --clean: they"
            " made the detector, and its rates say nothing of new images"
        )
    return f"measured on {images} clean images that calibrated nothing (--test)"


def speed(
    made: Mapping[Path, keras.Model | bytes],
    detector: FittedStrip,
    model: keras.Model,
    test: Dataset,
) -> tuple[dict[str, Latency], dict[str, float]]:
    """Return how long each way to answer takes, and how many overlays it looks at."""
    count = len(detector.overlays)
    calls = max(1, detector.superimposer.mixes_a_call // (count + 1))
    ways: dict[str, Any] = {
        "unguarded": latency.of_keras(model, detector.superimposer.mixes_a_call),
        "detector": detector.examine,
    }
    for path, content in made.items():
        if path.suffix == ".onnx":
            assert isinstance(content, bytes)
            ways[path.name] = latency.of_onnx(content, calls)
        elif path.suffix == ".keras":
            ways[path.name] = latency.of_keras(content, calls)
    measured = latency.latencies(ways, test.images)
    many = detector.examine(test.images[: latency.MANY]).overlays_used.mean()
    guards = {name: float(count) for name in ways if name not in {"unguarded", "detector"}}
    return measured, {"detector": float(many), **guards}


def sentences(
    options: StripOptions,
    detector: FittedStrip,
    report: DetectionReport,
    overlays_used: Mapping[str, float],
    measured_on: str,
) -> list[str]:
    """Return what is said below the tables."""
    choices = detector.choices
    stages = (
        f"the detector looks at {overlays_used['clean']:.1f} of {len(detector.overlays)} overlays"
        " for a clean image, on average"
    )
    if len(detector.stages.looks) == 1:
        stages = f"all {counted(len(detector.overlays), 'overlay')} are looked at"
        stages += (
            ""
            if options.exact
            else ": there are too few of them, or too few clean images, to stop earlier"
        )
    return [
        choices["why"],
        *([choices["mix"]] if choices["mix"] else []),
        stages,
        measured_on,
        *guard_verdict(
            report,
            frr=options.frr,
            calibration=options.calibration.value,
            calibrated_on=len(detector.calibration),
            asked=[name for name, _ in inputs.named_paths(options.poisoned, "--poisoned")],
        ),
    ]


def figures(
    options: StripOptions,
    detector: FittedStrip,
    report: DetectionReport,
    sets: Mapping[str, Dataset],
    examined: Mapping[str, Examination],
    opened: Inputs,
) -> dict[str, Any]:
    """Return what the record keeps for `plot`."""
    clean, *poisoned = sets.values()
    used = {name: one.overlays_used for name, one in examined.items()}
    scores = {"clean": report.scores["clean"], **report.scores["poisoned"]}
    return {
        "entropies": {
            "threshold": detector.threshold,
            "calibration": detector.calibration,
            **report.scores,
            "false_rejection_target": options.frr,
        },
        "floor": report.floor_scores,
        "overlays_used": {
            "of": len(detector.overlays),
            "clean": used.pop("clean"),
            "poisoned": used,
        },
        "extremes": exhibits.extremes(
            sets,
            scores,
            {name: p_values(detector.calibration, values) for name, values in scores.items()},
            opened.input_range,
        ),
        "samples": exhibits.samples(detector.model, clean, poisoned, opened.input_range),
        "superimposition": exhibits.superimposition(detector, clean, poisoned, opened.input_range),
    }
