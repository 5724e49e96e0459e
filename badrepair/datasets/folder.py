"""A data set in folders of the user's own, `folder:FOLDER` or `folder:TRAINING,TEST`.

Each has a sub-folder a class with its pictures: see `badrepair.data.folder`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.data import folder
from badrepair.datasets.reading import own_files

if TYPE_CHECKING:
    from badrepair.datasets.reading.source import Source


def load(place: str) -> Source:
    """Return the data set in one or two folders, as `own_files.load` does."""
    return own_files.load(place, "folder", folder.read)
