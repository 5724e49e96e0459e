"""Findings in SARIF 2.1.0, which code hosts and editors show beside a file.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from badrepair import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from badrepair.confinement.finding import Finding

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"refused": "error", "warning": "warning"}


def sarif(found: Sequence[tuple[Path, Finding]]) -> dict[str, Any]:
    """Return findings as one run of SARIF.

    Args:
        found: Each with the file that it is in.
    """
    driver = {
        "name": "badrepair",
        "version": __version__,
        "rules": [{"id": code} for code in sorted({finding.code for _, finding in found})],
    }
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": list(_results(found))}],
    }


def _results(found: Iterable[tuple[Path, Finding]]) -> Iterable[dict[str, Any]]:
    for path, finding in found:
        text = f"{finding.sentence}; hint: {finding.hint}" if finding.hint else finding.sentence
        place = {"physicalLocation": {"artifactLocation": {"uri": quote(Path(path).as_posix())}}}
        if finding.path:
            place["logicalLocations"] = [{"fullyQualifiedName": finding.path}]  # type: ignore[assignment]
        yield {
            "ruleId": finding.code,
            "level": LEVELS[finding.severity],
            "message": {"text": text},
            "locations": [place],
        }
