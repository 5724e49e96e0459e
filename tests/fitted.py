"""STRIP detectors with overlays and a threshold of a test's own choice."""

from __future__ import annotations

import math

from badrepair.detectors.fitted_strip import FittedStrip
from badrepair.models.superimposing import Superimposer
from badrepair.staging import all_at_once


def fitted_strip(
    model, overlays, weights=(1.0, 1.0), threshold=-math.inf, stages=None, batch_size=None
):
    """Return a detector that looks at all overlays unless stages are given."""
    return FittedStrip(
        superimposer=Superimposer(model, overlays, weights, batch_size=batch_size),
        stages=stages or all_at_once(len(overlays)),
        threshold=threshold,
    )
