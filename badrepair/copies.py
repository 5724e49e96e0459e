"""Tell images that are copies of others: they are no further evidence.

A threshold that is calibrated on copies, or a rate that is measured on copies of what calibrated,
says less than the number of images suggests.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from badrepair.views import batches

if TYPE_CHECKING:
    from badrepair.types import Dataset
    from badrepair.views import Images

IMAGES_AT_ONCE = 100
DIGEST_BYTES = 16


def distinct(
    dataset: Dataset, *, beside: Dataset | None = None, batch_size: int = IMAGES_AT_ONCE
) -> Dataset:
    """Return the first of each image, in order; nothing is left out where nothing is a copy.

    Args:
        dataset: Read once.
        beside: Images that count as seen before.
        batch_size: Images that are read at a time.
    """
    seen = set() if beside is None else set(_digests(beside.images, batch_size))
    rows = []
    for row, digest in enumerate(_digests(dataset.images, batch_size)):
        if digest not in seen:
            seen.add(digest)
            rows.append(row)
    return dataset if len(rows) == len(dataset) else dataset.take(np.array(rows, np.int64))


def _digests(images: Images, batch_size: int) -> list[bytes]:
    """Return what tells images apart, one a row."""
    return [
        hashlib.blake2b(image.tobytes(), digest_size=DIGEST_BYTES).digest()
        for block in batches(images, batch_size)
        for image in np.asarray(block, np.float32)
    ]
