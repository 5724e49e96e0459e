"""Results as JSON and back: the record next to every output, and the report of `evaluate`."""

from badrepair.records.file import (
    SCHEMA,
    read_record,
    record_bytes,
    record_of,
    record_path,
    text_in,
    to_json,
    write_record,
)
from badrepair.records.provenance import identity, identity_of, provenance, versions
from badrepair.records.report import EvaluatedModel, report_from_json, report_json
from badrepair.records.sarif import sarif

__all__ = [
    "SCHEMA",
    "EvaluatedModel",
    "identity",
    "identity_of",
    "provenance",
    "read_record",
    "record_bytes",
    "record_of",
    "record_path",
    "report_from_json",
    "report_json",
    "sarif",
    "text_in",
    "to_json",
    "versions",
    "write_record",
]
