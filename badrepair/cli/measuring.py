"""Measure the networks that a command has made beside the one that it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.evaluation import against, evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import keras

    from badrepair.types import Dataset, Report


def measured(
    models: Mapping[str, keras.Model], test: Dataset, poisoned: Sequence[Dataset], batch_size: int
) -> dict[str, Report]:
    """Return a report of each network, the others against "before", which comes first."""
    reports: dict[str, Report] = {}
    for name, model in models.items():
        report = evaluate(model, test, poisoned, batch_size=batch_size)
        reports[name] = against(report, reports["before"]) if reports else report
    return reports


def with_files(
    reports: Mapping[str, Report], files: Mapping[str, Path]
) -> dict[str, tuple[Report, Path | None]]:
    """Return each report with the file of its network; None for a step that is not kept."""
    return {name: (report, files.get(name)) for name, report in reports.items()}
