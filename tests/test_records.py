"""Records go out whole, come back the same, and hostile ones are refused in one line."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from badrepair import records
from badrepair.errors import DataError, InputMissingError, OutputError
from badrepair.records import EvaluatedModel
from badrepair.types import AttackRow, CleanRow, Rate, Report


@dataclass(frozen=True)
class Choice:
    layer: str
    level: int


def written(folder: Path, text: str) -> Path:
    path = folder / "record.json"
    path.write_text(text)
    return path


def test_a_record_stands_next_to_its_output():
    assert records.record_path(Path("out/repaired.keras")) == Path("out/repaired.json")
    assert records.record_path(Path("my.model.h5")) == Path("my.model.json")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([0.5, np.nan, -np.inf]), [0.5, None, None]),
        (float("inf"), None),
        (Path("a/b"), "a/b"),
        ((1, (2, None)), [1, [2, None]]),
        (Choice("conv_3", 4), {"layer": "conv_3", "level": 4}),
        ({1: Choice("a", 0)}, {"1": {"layer": "a", "level": 0}}),
        (True, True),
    ],
)
def test_values_become_plain(value, plain):
    assert records.to_json(value) == plain
    assert type(records.to_json(value)) is type(plain)


def test_a_value_without_a_plain_form_is_a_bug_and_says_so():
    with pytest.raises(TypeError, match="cannot hold a set"):
        records.to_json({"a": [{1, 2}]})


def test_a_record_reads_back_as_it_was_written(tmp_path):
    path = tmp_path / "repaired.json"
    records.write_record(path, {"schema": 1, "curve": np.array([1.0, np.nan])}, overwrite=False)
    assert records.read_record(path) == {"schema": 1, "curve": [1.0, None]}


def test_a_record_is_not_overwritten_unless_asked(tmp_path):
    path = tmp_path / "repaired.json"
    records.write_record(path, {"schema": 1, "run": 1}, overwrite=False)
    with pytest.raises(OutputError):
        records.write_record(path, {"schema": 1, "run": 2}, overwrite=False)
    assert records.read_record(path)["run"] == 1
    records.write_record(path, {"schema": 1, "run": 3}, overwrite=True)
    assert records.read_record(path)["run"] == 3


def test_a_missing_record_is_a_missing_input(tmp_path):
    with pytest.raises(InputMissingError):
        records.read_record(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "{}",
        '{"schema": 2}',
        '{"schema": true}',
        '{"schema": 1, "a": NaN}',
        '{"schema": 1, "a": 1e999}',
        '{"schema": 1, "a": {"b": 1, "b": 2}}',
        '{"schema": 2, "schema": 1}',
        '{"schema": 1, "a": ' + "[" * 40 + "]" * 40 + "}",
        "[" * 100_000,
    ],
)
def test_what_is_not_a_record_is_refused(tmp_path, text):
    with pytest.raises(DataError) as caught:
        records.read_record(written(tmp_path, text))
    assert caught.value.code == "RecordInvalid"
    assert "\n" not in str(caught.value)


def test_forty_levels_of_nesting_still_pass(tmp_path):
    deep = '{"schema": 1, "a": ' + "[" * 39 + "]" * 39 + "}"
    assert records.read_record(written(tmp_path, deep))["schema"] == 1


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "record.json").write_bytes(b"\x89HDF\r\n\xff\xfe")
    with pytest.raises(DataError, match="RecordInvalid"):
        records.read_record(tmp_path / "record.json")


def test_a_huge_record_is_refused_unread(tmp_path):
    path = tmp_path / "record.json"
    with path.open("wb") as file:
        file.truncate(32 * 2**20 + 1)
    with pytest.raises(DataError, match="at most 33554432 bytes"):
        records.read_record(path)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "record.json")
    with pytest.raises(DataError, match="NotAFile"):
        records.read_record(tmp_path / "record.json")


def test_provenance_names_what_was_run_on_what(tmp_path):
    model = tmp_path / "model.h5"
    model.write_bytes(b"weights")
    head = records.provenance(
        "prune", ["prune", "--seed", "7"], {"clean": model}, 7, [model], time.monotonic() - 2
    )
    assert (head["schema"], head["command"], head["seed"]) == (1, "prune", 7)
    assert head["arguments"] == ["prune", "--seed", "7"]
    assert head["options"] == {"clean": str(model)}
    digest = hashlib.sha256(b"weights").hexdigest()
    assert head["inputs"] == [{"path": str(model), "sha256": digest, "bytes": 7}]
    assert head["versions"]["python"] == platform.python_version()
    assert head["versions"]["numpy"] == np.__version__
    assert set(head["versions"]) == {
        *("python", "badrepair", "tensorflow", "keras", "numpy", "h5py"),
    }
    assert 2 <= head["seconds"] < 60
    assert 1 < head["peak_memory_mb"] < 100_000
    json.dumps(head)


def test_a_folder_is_known_by_its_names_and_contents(tmp_path):
    for folder, name in (("a", "0/x.png"), ("b", "0/x.png"), ("c", "1/x.png")):
        (tmp_path / folder / name).parent.mkdir(parents=True)
        (tmp_path / folder / name).write_bytes(b"12345")
    one, same, renamed = (records.identity(tmp_path / name) for name in "abc")
    assert one["bytes"] == 5
    assert one["sha256"] == same["sha256"] != renamed["sha256"]
    (tmp_path / "b/0/x.png").write_bytes(b"12346")
    assert records.identity(tmp_path / "b")["sha256"] != one["sha256"]


GUARDED = EvaluatedModel(
    "guarded",
    "guarded.keras",
    "ab" * 32,
    Report(
        classes=10,
        clean=CleanRow(
            accuracy=Rate(0.9, 100, 0.83, 0.94), false_rejection_rate=Rate(0.01, 100, 0.0, 0.05)
        ),
        attacks=(
            AttackRow(
                name="sunglasses",
                attack_success_rate=Rate(0.5, 40, 0.35, 0.65),
                detection_rate=Rate(0.25, 40, 0.14, 0.4),
                recovered_accuracy=Rate(0.2, 50, 0.11, 0.33),
                defense_effectiveness=0.75,
            ),
        ),
    ),
)
UNMEASURED = EvaluatedModel("raw", "raw.h5", "cd" * 32, Report(classes=3, clean=None))
UNGUARDED = EvaluatedModel(
    "plain",
    "plain.h5",
    "ef" * 32,
    Report(
        classes=10,
        clean=CleanRow(accuracy=Rate(1.0, 4, 0.51, 1.0), false_rejection_rate=None),
        attacks=(
            AttackRow(
                name="patch",
                attack_success_rate=Rate(0.0, 4, 0.0, 0.49),
                detection_rate=None,
                recovered_accuracy=None,
            ),
        ),
    ),
)


def test_the_report_has_the_promised_shape():
    report = records.report_json([GUARDED])
    (model,) = report["models"]
    assert report["schema"] == 1
    assert list(model) == ["name", "path", "sha256", "classes", "clean", "attacks"]
    assert list(model["clean"])[:4] == ["accuracy", "false_rejection_rate", "n", "ci95"]
    assert model["clean"]["ci95"] == [0.83, 0.94]
    assert model["clean"]["false_rejection_rate_ci95"] == [0.0, 0.05]
    (attack,) = model["attacks"]
    assert list(attack)[:6] == [
        *("name", "attack_success_rate", "detection_rate", "recovered_accuracy", "n", "ci95"),
    ]
    assert (attack["attack_success_rate"], attack["n"], attack["ci95"]) == (0.5, 40, [0.35, 0.65])
    assert (attack["recovered_accuracy_n"], attack["der"]) == (50, 0.75)


def test_what_was_not_measured_is_null_and_a_measured_zero_is_zero():
    raw, plain = records.report_json([UNMEASURED, UNGUARDED])["models"]
    assert raw["clean"]["accuracy"] is None
    assert raw["clean"]["ci95"] is None
    assert raw["clean"]["n"] == 0
    assert raw["attacks"] == []
    (attack,) = plain["attacks"]
    assert attack["attack_success_rate"] == 0
    assert attack["detection_rate"] is None
    assert attack["recovered_accuracy_ci95"] is None
    assert attack["der"] is None


def test_a_report_comes_back_from_json_the_same():
    models = (GUARDED, UNMEASURED, UNGUARDED)
    assert records.report_from_json(json.loads(json.dumps(records.report_json(models)))) == models


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("attack_success_rate", None),
        ("attack_success_rate", 1.5),
        ("attack_success_rate", "1"),
        ("n", -1),
        ("n", 0.5),
        ("ci95", [0.1]),
        ("ci95", None),
        ("name", 3),
    ],
)
def test_a_report_with_a_wrong_value_is_refused(key, value):
    report = records.report_json([GUARDED])
    report["models"][0]["attacks"][0][key] = value
    with pytest.raises(DataError, match="RecordInvalid") as caught:
        records.report_from_json(report, where="report.json")
    assert caught.value.where == "report.json"


@pytest.mark.parametrize("value", [None, [], "models", {}, {"models": 1}, {"models": [{}]}])
def test_what_is_no_report_is_refused(value):
    with pytest.raises(DataError, match="RecordInvalid"):
        records.report_from_json(value)
