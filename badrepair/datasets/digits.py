"""The embedded digits, 24 x 24 pixels in grey: `badrepair.data.digits`."""

from __future__ import annotations

import numpy as np

from badrepair.data import digits
from badrepair.datasets.reading.source import Source, require_alone
from badrepair.types import Dataset

CLASSES = 10
# Of so few, more are kept for testing: the defender's images are taken from these.
TRAINING_SHARE = 0.5


def load(place: str = "") -> Source:
    """Return the digits: 898 to train on, 899 to test on."""
    require_alone("digits", place)
    raw = digits.digits()
    labels = np.asarray(raw.labels, np.int64)
    return Source.parted(
        "digits", Dataset(images=raw.images, labels=labels, name="digits"), CLASSES, TRAINING_SHARE
    )
