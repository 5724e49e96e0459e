"""Results as JSON and back: the record next to every output, and the report of `evaluate`."""

from badrepair.records.file import read_record, record_path, to_json, write_record
from badrepair.records.provenance import identity, provenance
from badrepair.records.report import EvaluatedModel, report_from_json, report_json

__all__ = [
    "EvaluatedModel",
    "identity",
    "provenance",
    "read_record",
    "record_path",
    "report_from_json",
    "report_json",
    "to_json",
    "write_record",
]
