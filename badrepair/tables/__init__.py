"""Results as tables of text, and those as rich, CSV or Markdown."""

from badrepair.tables.bench import bench_tables
from badrepair.tables.cost import cost_table
from badrepair.tables.detection import detection_table
from badrepair.tables.evaluation import evaluation_overview, evaluation_table
from badrepair.tables.latency import latency_table
from badrepair.tables.rendering import as_csv, as_markdown, as_rich
from badrepair.tables.scan import scan_tables
from badrepair.tables.table import (
    NOT_APPLICABLE,
    NOT_MEASURED,
    Table,
    estimate_cell,
    rate_cell,
)

__all__ = [
    "NOT_APPLICABLE",
    "NOT_MEASURED",
    "Table",
    "as_csv",
    "as_markdown",
    "as_rich",
    "bench_tables",
    "cost_table",
    "detection_table",
    "estimate_cell",
    "evaluation_overview",
    "evaluation_table",
    "latency_table",
    "rate_cell",
    "scan_tables",
]
