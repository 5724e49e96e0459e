"""The JSON shape of `evaluate`, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from badrepair.errors import DataError
from badrepair.records.file import SCHEMA
from badrepair.types import AttackRow, CleanRow, Rate, Report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class EvaluatedModel:
    """A report and the file that it is about.

    Args:
        name: What the user calls the model.
        path: Where its file stands; None for a step on the way that was not kept.
        sha256: Digest of that file, in hexadecimal; None likewise.
        report: What was measured.
    """

    name: str
    path: str | None
    sha256: str | None
    report: Report


def report_json(models: Sequence[EvaluatedModel]) -> dict[str, Any]:
    """Return reports as plain values: rates in [0, 1], null where not measured.

    `n` and `ci95` belong to the first rate of an object, which is always about all its images;
    those of another rate bear its name.
    """
    return {
        "schema": SCHEMA,
        "models": [
            {
                "name": model.name,
                "path": model.path,
                "sha256": model.sha256,
                "classes": model.report.classes,
                "clean": _clean_json(model.report.clean),
                "attacks": [_attack_json(row) for row in model.report.attacks],
            }
            for model in models
        ],
    }


def report_from_json(value: object, where: object = "report") -> tuple[EvaluatedModel, ...]:
    """Return the reports in what `report_json` returned.

    Args:
        value: What was read from JSON.
        where: The file to name if it is not a report.

    Raises:
        DataError: `RecordInvalid`: the value is not a report.
    """
    try:
        return tuple(_model(entry) for entry in value["models"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"expected the JSON of `badrepair evaluate`, found a fault: {error}"
        raise DataError("RecordInvalid", where, problem, "run the evaluation again") from error


def _clean_json(row: CleanRow | None) -> dict[str, Any]:
    accuracy, rejected = (None, None) if row is None else (row.accuracy, row.false_rejection_rate)
    return {
        "accuracy": _value(accuracy),
        "false_rejection_rate": _value(rejected),
        "n": 0 if accuracy is None else accuracy.n,
        "ci95": _interval(accuracy),
        **_beside("false_rejection_rate", rejected),
    }


def _attack_json(row: AttackRow) -> dict[str, Any]:
    success = row.attack_success_rate
    return {
        "name": row.name,
        "attack_success_rate": success.value,
        "detection_rate": _value(row.detection_rate),
        "recovered_accuracy": _value(row.recovered_accuracy),
        "n": success.n,
        "ci95": _interval(success),
        **_beside("detection_rate", row.detection_rate),
        **_beside("recovered_accuracy", row.recovered_accuracy),
        "der": row.defense_effectiveness,
    }


def _value(rate: Rate | None) -> float | None:
    return None if rate is None else rate.value


def _interval(rate: Rate | None) -> list[float] | None:
    return None if rate is None else [rate.low, rate.high]


def _beside(key: str, rate: Rate | None) -> dict[str, Any]:
    """Return the number and the interval of a rate that is not the first of its object."""
    return {f"{key}_n": 0 if rate is None else rate.n, f"{key}_ci95": _interval(rate)}


def _model(entry: Mapping[str, Any]) -> EvaluatedModel:
    clean = entry["clean"]
    accuracy = _rate(clean, "accuracy", "n", "ci95")
    rejections = _rate_beside(clean, "false_rejection_rate")
    return EvaluatedModel(
        name=_text(entry["name"]),
        path=None if entry["path"] is None else _text(entry["path"]),
        sha256=None if entry["sha256"] is None else _text(entry["sha256"]),
        report=Report(
            classes=_count(entry["classes"]),
            clean=None
            if accuracy is None
            else CleanRow(accuracy=accuracy, false_rejection_rate=rejections),
            attacks=tuple(_attack(row) for row in entry["attacks"]),
        ),
    )


def _attack(row: Mapping[str, Any]) -> AttackRow:
    success = _rate(row, "attack_success_rate", "n", "ci95")
    if success is None:
        raise ValueError("attack_success_rate is null")
    effectiveness = row["der"]
    return AttackRow(
        name=_text(row["name"]),
        attack_success_rate=success,
        detection_rate=_rate_beside(row, "detection_rate"),
        recovered_accuracy=_rate_beside(row, "recovered_accuracy"),
        defense_effectiveness=None if effectiveness is None else _share(effectiveness),
    )


def _rate_beside(row: Mapping[str, Any], key: str) -> Rate | None:
    return _rate(row, key, f"{key}_n", f"{key}_ci95")


def _rate(row: Mapping[str, Any], key: str, number: str, interval: str) -> Rate | None:
    if row[key] is None:
        return None
    low, high = row[interval]
    return Rate(_share(row[key]), _count(row[number]), _share(low), _share(high))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not a text")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r:.40} is not a number of things")
    return value


def _share(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(f"{value!r:.40} is not a share in [0, 1]")
    return float(value)
