"""The rows of a long run: on disk as they are found, and in one file when all are there."""

from badrepair.journal.formats import require_format, write
from badrepair.journal.partial import Journal, partial_path
from badrepair.journal.row import COLUMNS, Row, printable

__all__ = [
    "COLUMNS",
    "Journal",
    "Row",
    "partial_path",
    "printable",
    "require_format",
    "write",
]
