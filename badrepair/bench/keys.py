"""The digests that networks and cells are known by: of everything that decides about them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from badrepair.files import sha256
from badrepair.planting import files_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from badrepair.planting import Recipe

# Changes when what is measured of the same recipe changes: then nothing that is stored fits.
FORMAT = 1
DIGITS = 16


def key_of(value: object) -> str:
    """Return the digest of plain values, 16 hexadecimal digits."""
    text = json.dumps([FORMAT, value], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def file_digests(recipe: Recipe) -> Iterator[str]:
    """Yield the digests of the files that a recipe names, so that another content is another key.

    Those of a folder of pictures are not looked at: there may be millions.
    """
    for path in files_of(recipe):
        if path.is_file():
            yield sha256(path)
