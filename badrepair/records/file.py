"""Read and write record files; a record that is read may come from anybody."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair import files, strict_json, writing
from badrepair.errors import DataError
from badrepair.strict_json import levels

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
MOST_BYTES = 32 * 2**20
# Lists and objects take many times the memory of their text: they are counted before it is read.
MOST_PARTS = 1_000_000
_PARTS = (b"[", b"{", b":")
DEEPEST = 40


def record_path(output: Path) -> Path:
    """Return where the record of an output stands: `repaired.keras` has `repaired.json`."""
    return output.with_suffix(".json")


def to_json(value: object) -> Any:
    """Return a value as JSON knows it; NaN and infinities become null.

    Raises:
        TypeError: The value, or one inside it, has no plain form.
    """
    # Before the plain types: np.float64 is a float as well.
    if isinstance(value, np.generic | np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(below) for below in value]
    raise TypeError(f"a record cannot hold a {type(value).__name__}")


def record_bytes(record: Mapping[str, Any]) -> bytes:
    """Return what stands in a record's file."""
    text = json.dumps(to_json(record), allow_nan=False, indent=1)
    return f"{text}\n".encode()


def write_record(path: Path, record: Mapping[str, Any], *, overwrite: bool) -> None:
    """Write a record, whole or not at all."""
    writing.write_atomically(path, record_bytes(record), overwrite=overwrite)


def record_of(output: Path) -> dict[str, Any] | None:
    """Return the record that was written with a file; None if none, or another's, is beside it."""
    path = record_path(output)
    if not os.path.isfile(path) or path == output:
        return None
    try:
        record = read_record(path)
    except DataError:
        return None
    outputs = record.get("outputs")
    digests = {text_in(entry, "sha256") for entry in outputs} if isinstance(outputs, list) else ()
    return record if files.sha256(files.require_file(output)) in digests else None


def text_in(record: object, *keys: str) -> str | None:
    """Return a text from the depths of a record, None where there is none."""
    for key in keys:
        record = record.get(key) if isinstance(record, dict) else None
    return record if isinstance(record, str) else None


def read_record(path: Path) -> dict[str, Any]:
    """Return a record of the schema that this version writes.

    Raises:
        InputMissingError: There is no such file, or it may not be read.
        DataError: `NotAFile`, or `RecordInvalid`: it is not a record that we can read.
    """
    raw = _read(path)
    try:
        record = strict_json.parsed(raw)
    except ValueError as error:
        raise _invalid(path, f"expected JSON, found something else ({error})") from error
    if not isinstance(record, dict):
        raise _invalid(path, f"expected an object, found a {type(record).__name__}")
    schema = record.get("schema")
    if type(schema) is not int or schema != SCHEMA:
        raise _invalid(path, f"expected schema {SCHEMA}, found {json.dumps(schema)[:40]}")
    if _depth(record) > DEEPEST:
        raise _invalid(path, f"expected at most {DEEPEST} levels of nesting, found more")
    return record


def _depth(record: object) -> int:
    """Return how deep lists and objects stand inside each other."""
    return sum(any(isinstance(one, dict | list) for one in level) for level in levels(record))


def _read(path: Path) -> bytes:
    with files.require_file(path).open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise _invalid(path, f"expected at most {MOST_BYTES} bytes, found more")
    parts = sum(map(raw.count, _PARTS))
    if parts > MOST_PARTS:
        raise _invalid(path, f"expected at most {MOST_PARTS} lists and entries, found {parts}")
    return raw


def _invalid(path: Path, problem: str) -> DataError:
    hint = "give the .json file that a badrepair command wrote"
    return DataError("RecordInvalid", path, problem, hint)
