"""What is in a model file, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.tables.table import NOT_APPLICABLE, Table

if TYPE_CHECKING:
    from badrepair.scanning import Scan

UNSAID = "not said"


def scan_tables(scan: Scan) -> list[Table]:
    """Return what a file is, its layers, and what is wrong with it; what is empty is left out."""
    found = [_file_table(scan)]
    if scan.layers:
        found.append(_layer_table(scan))
    if scan.findings:
        found.append(_finding_table(scan))
    return found


def _file_table(scan: Scan) -> Table:
    shape = " x ".join(str(size or "?") for size in scan.input_shape or ())
    facts = {
        "format": scan.format,
        "written by Keras": scan.keras_version or UNSAID,
        "size": f"{scan.size:,} bytes",
        "SHA-256": scan.sha256,
        "input (H, W, C)": shape or UNSAID,
        "input range": scan.input_range or UNSAID,
        "parameters": f"{scan.parameters:,}",
    }
    return Table(f"{scan.path}", ("what", "found"), tuple(facts.items()), apart=False)


def _layer_table(scan: Scan) -> Table:
    rows = tuple(
        (row.name, row.kind, row.settings or NOT_APPLICABLE, f"{row.parameters:,}")
        for row in scan.layers
    )
    return Table("Layers", ("layer", "class", "settings", "parameters"), rows, apart=False)


def _finding_table(scan: Scan) -> Table:
    rows = tuple(
        (found.severity, found.code, found.sentence, found.hint or NOT_APPLICABLE)
        for found in scan.findings
    )
    return Table("Findings", ("severity", "code", "what is wrong", "what to do"), rows)
