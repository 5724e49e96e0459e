"""Screen a stream of images with a fitted detector, block by block: memory does not grow."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from badrepair.drift import DriftMonitor, largest_clean_share
from badrepair.journal import Row
from badrepair.metrics import wilson
from badrepair.progress import track
from badrepair.types import Rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from badrepair.data.unlabelled import Block, Unlabelled
    from badrepair.detectors.fitted_strip import FittedStrip

# Of a block: enough that undecided images still fill a call, few for a progress bar.
MOST_IMAGES = 1000
MOST_PIXEL_BYTES = 2**26


@dataclass(frozen=True, eq=False)
class Screened:
    """Some consecutive images, and what was found of them.

    Args:
        rows: One an image.
        block: Those of the images that could be read.
    """

    rows: tuple[Row, ...]
    block: Block


def screened(detector: FittedStrip, images: Unlabelled, *, first: int = 0) -> Iterator[Screened]:
    """Yield what a detector finds of a stream of images.

    Blocks begin at the same rows wherever the first one is: the rest of a run that was broken off
    is to the last digit that of one that was not.

    Args:
        detector: Fitted on clean images.
        images: As the network takes them.
        first: Row to begin with.
    """
    size = images_a_block(detector)
    starts = range(first - first % size, len(images), size)
    for start in track(starts, "screening", len(starts)):
        found = _examined(detector, images, start, min(start + size, len(images)))
        yield Screened(found.rows[max(0, first - start) :], found.block)


def images_a_block(detector: FittedStrip) -> int:
    """Return how many images are read and examined at a time."""
    image_bytes = 4 * math.prod(detector.overlays.shape[1:])
    return max(1, min(detector.images_at_once, MOST_IMAGES, MOST_PIXEL_BYTES // image_bytes))


def _examined(detector: FittedStrip, images: Unlabelled, start: int, stop: int) -> Screened:
    block = images.read(start, stop)
    found = {
        row: Row(index=row, path=images.name(row), verdict="unreadable", fault=fault)
        for row, fault in block.faults.items()
    }
    if len(block.rows):
        seen = detector.examine(block.pixels)
        for place, row in enumerate(block.rows.tolist()):
            found[row] = Row(
                index=row,
                path=images.name(row),
                verdict="poisoned" if seen.flagged[place] else "clean",
                entropy=float(seen.entropies[place]),
                overlays_used=int(seen.overlays_used[place]),
                p_value=float(seen.p_values[place]),
                answer=int(seen.answers[place]),
            )
    return Screened(tuple(found[row] for row in range(start, stop)), block)


@dataclass
class Tally:
    """What was found of all images so far.

    Args:
        monitor: Notices if too many of them are flagged.
        images: Number of images, those that cannot be read too.
        flagged: How many of them were flagged.
        overlays_used: How many overlays were looked at for all of them together.
        faults: Why images cannot be read, and how many.
        examples: One row for each of these.
    """

    monitor: DriftMonitor
    images: int = 0
    flagged: int = 0
    overlays_used: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Row] = field(default_factory=dict)

    @classmethod
    def of(cls, detector: FittedStrip) -> Tally:
        """Return the tally of a stream that has not begun."""
        below = int((detector.calibration < detector.threshold).sum())
        expected = largest_clean_share(len(detector.calibration), below, detector.frr)
        return cls(DriftMonitor(expected))

    def count(self, row: Row) -> bool:
        """Take in the next image; return whether it is the one that shows a drift."""
        self.images += 1
        if row.fault is not None:
            self.faults[row.fault.code] += 1
            self.examples.setdefault(row.fault.code, row)
            return False
        flagged = row.verdict == "poisoned"
        self.flagged += flagged
        self.overlays_used += row.overlays_used or 0
        return self.monitor.see(row.index, flagged)

    @property
    def unreadable(self) -> int:
        """Return how many images cannot be read."""
        return self.faults.total()

    @property
    def flagged_share(self) -> Rate | None:
        """Return the share of the readable images that was flagged; None if there are none."""
        n = self.images - self.unreadable
        if not n:
            return None
        low, high = wilson(self.flagged, n)
        return Rate(self.flagged / n, n, float(low), float(high))

    @property
    def mean_overlays_used(self) -> float | None:
        """Return how many overlays were looked at for a readable image, on average."""
        n = self.images - self.unreadable
        return self.overlays_used / n if n else None
