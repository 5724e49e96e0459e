"""The parts of a detector's file, each read as if somebody had made it up.

Every function raises ValueError, with what was found, if its part is not what a fitted detector
has.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair import strict_json
from badrepair.calibration import KINDS
from badrepair.staging import Stages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from badrepair.views import Array

SCHEMA = 1
WHITE = np.float32(255)
# How overlays are kept, and how they are got back to the last bit.
PIXELS = ("bytes", "bytes / 255", "float32")
MOST_LEARNING = 10**9
LONGEST_TEXT = 10_000
MOST_LOOKS = 64
MOST_DESCRIPTION_BYTES = 2**17


def description(stored: Array) -> dict[str, Any]:
    """Return what the JSON in a file says of a detector."""
    if stored.ndim != 1 or len(stored) > MOST_DESCRIPTION_BYTES:
        raise ValueError(f"a description of {stored.size:,} bytes")
    described = strict_json.parsed(stored.tobytes())
    if not isinstance(described, dict) or described.get("schema") != SCHEMA:
        found = described.get("schema") if isinstance(described, dict) else "none"
        raise ValueError(f"schema {found!r:.20} instead of {SCHEMA}")
    return described


def restored(stored: Array, pixels: object) -> NDArray[np.float32]:
    """Return overlays that were kept in one of the ways of `PIXELS`."""
    plain = stored.astype(np.float32)
    return plain / WHITE if pixels == "bytes / 255" else plain


def overlays(stored: Array, pixels: object) -> NDArray[np.float32]:
    """Return the overlays, shape (N, H, W, C)."""
    if pixels not in PIXELS or (stored.dtype == np.uint8) != (pixels != "float32"):
        raise ValueError(f"overlays of the type {stored.dtype} kept as {pixels!r:.20}")
    if stored.ndim != 4 or not stored.size:
        raise ValueError(f"overlays of shape {stored.shape}")
    found = restored(stored, pixels)
    if not np.isfinite(found).all():
        raise ValueError("overlays with pixels that are NaN or infinite")
    return found


def stages(arrays: Mapping[str, Array], overlays: int) -> Stages:
    """Return when to look, and when to stop."""
    looks, factor, below, above = (arrays[key] for key in ("looks", "factor", "below", "above"))
    if looks.ndim != 1 or not 1 <= len(looks) <= MOST_LOOKS or looks[0] < 1:
        raise ValueError("looks that are no numbers of overlays")
    if looks[-1] != overlays or (np.diff(looks) <= 0).any():
        raise ValueError(f"looks that do not rise to the {overlays} overlays")
    for name, widths in (("below", below), ("above", above)):
        if widths.shape != looks.shape or not (np.isfinite(widths) & (widths >= 0)).all():
            raise ValueError(f"bands {name} that are no widths")
        if widths[-1]:
            raise ValueError(f"a band {name} that has a width at the last look")
    if factor.shape != looks.shape or not (np.isfinite(factor) & (factor > 0)).all():
        raise ValueError("factors that are not above 0")
    if factor[-1] != 1:
        raise ValueError("a factor other than 1 at the last look")
    return Stages(looks=looks, factor=factor, below=below, above=above)


def calibration(scores: Array) -> NDArray[np.float64]:
    """Return the scores of clean images, shape (n,)."""
    if scores.ndim != 1 or not len(scores):
        raise ValueError("no calibration scores, which p-values need")
    if not (np.isfinite(scores) & (scores >= 0)).all():
        raise ValueError("calibration scores that are no entropies")
    return scores


def threshold(stored: Array) -> float:
    """Return the score below which an input is flagged."""
    # -inf flags nothing, which a fitted threshold may come to; +inf would flag all.
    if stored.shape or np.isnan(stored) or stored == math.inf:
        raise ValueError("a threshold that is no number of bits")
    return float(stored)


def settings(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the other settings of a detector, by the names of their fields."""
    weights, frr = described.get("weights"), described.get("frr")
    kind, learning, why = (described.get(key) for key in ("kind", "learning", "mix_why"))
    if not isinstance(weights, list) or len(weights) != 2:
        raise ValueError("no pair of weights of the mixes")
    if type(learning) is not int or not 0 <= learning <= MOST_LEARNING:
        raise ValueError("a number of images that is none")
    if not isinstance(why, str) or len(why) > LONGEST_TEXT:
        raise ValueError("no word on how mixes are made")
    if kind not in KINDS or not _positive(frr, "a rate") < 1:
        raise ValueError("a calibration that is not known")
    first, second = (_positive(weight, "a weight of the mixes") for weight in weights)
    return {
        "weights": (first, second),
        "kind": kind,
        "frr": _positive(frr, "a rate"),
        "learning": learning,
        "mix_why": why,
    }


def _positive(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} that is no number")
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"{what} that is not above 0")
    return float(value)
