"""A stream of images is screened block by block, and broken images do not stop it."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest
from journal_rows import row, unreadable
from readers import reader, written

from badrepair import screening
from badrepair.data.unlabelled import ArrayRows, Block, Fault
from badrepair.defenses.strip import Strip
from badrepair.drift import DriftMonitor
from badrepair.screening import Tally, images_a_block, screened
from badrepair.types import Dataset

CLASSES = 5


def stream(count, seed):
    """Return images that show their class with strengths from 0 to 8: they differ in entropy."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    strengths = random.uniform(0, 8, (count, 1)) * np.eye(CLASSES)[labels]
    return written(strengths + random.normal(0, 1, (count, CLASSES)), random.random(count))


@pytest.fixture(scope="module")
def detector():
    images = stream(400, 0)
    clean = Dataset(images=images, labels=np.arange(400) % CLASSES)
    return Strip(overlays=20, frr=0.05, batch_size=32).fit(reader(CLASSES), clean)


@pytest.fixture(scope="module")
def images():
    """Return 150 images of which rows 40 and 149 are broken, and rows 64 to 95, a whole block."""
    pixels = stream(150, 1)
    pixels[[40, 149], 0, 0, 0] = np.nan
    pixels[64:96, 0, 0, 1] = np.inf
    return ArrayRows(pixels, "f.npy")


def rows_of(found):
    return [one for block in found for one in block.rows]


def test_each_image_has_a_row_with_what_the_detector_sees(detector, images):
    rows = rows_of(screened(detector, images))
    assert [one.index for one in rows] == list(range(150))
    good = [one.index for one in rows if one.fault is None]
    seen = detector.examine(images.images[good])
    for place, index in enumerate(good):
        one = rows[index]
        assert one.verdict == ("poisoned" if seen.flagged[place] else "clean")
        assert one.entropy == pytest.approx(seen.entropies[place], abs=1e-5)
        assert one.overlays_used == seen.overlays_used[place]
        assert one.p_value == pytest.approx(seen.p_values[place], abs=0.01)
        assert one.answer == seen.answers[place]
    assert 0 < sum(one.verdict == "poisoned" for one in rows) < 30


def test_broken_images_are_rows_too(detector, images):
    rows = rows_of(screened(detector, images))
    broken = [one.index for one in rows if one.verdict == "unreadable"]
    assert broken == [40, *range(64, 96), 149]
    assert rows[40] == screening.Row(
        index=40,
        path="",
        verdict="unreadable",
        fault=Fault("NotFinite", "1 pixels are NaN or infinite"),
    )


@pytest.mark.parametrize("first", [0, 1, 31, 32, 33, 70, 149, 150])
def test_wherever_it_goes_on_the_rows_are_to_the_last_bit_the_same(detector, images, first):
    whole = rows_of(screened(detector, images))
    assert rows_of(screened(detector, images, first=first)) == whole[first:]


class Noting:
    """Images that note how many are asked for at a time."""

    def __init__(self, images):
        self.images, self.asked = images, []

    def __len__(self):
        return len(self.images)

    def name(self, row):
        return f"{row}.png"

    def read(self, start, stop):
        self.asked.append((start, stop))
        return Block(self.images[start:stop], np.arange(start, stop))


def test_images_are_read_as_they_are_needed_block_by_block(detector):
    images = Noting(stream(100, 2))
    blocks = screened(detector, images)
    first = next(blocks)
    assert images.asked == [(0, 32)]
    assert [one.path for one in first.rows] == [f"{row}.png" for row in range(32)]
    assert np.array_equal(first.block.pixels, images.images[:32])
    list(blocks)
    assert images.asked == [(0, 32), (32, 64), (64, 96), (96, 100)]


def test_a_block_is_small_however_much_the_network_could_take(detector, monkeypatch):
    assert images_a_block(detector) == 32
    superimposer = type(detector.superimposer)(reader(CLASSES), detector.overlays, (1.0, 1.0))
    free = dataclasses.replace(detector, superimposer=superimposer)
    assert free.images_at_once > 100_000
    assert images_a_block(free) == 1000
    monkeypatch.setattr(screening, "MOST_PIXEL_BYTES", 7 * 4 * (CLASSES + 1))
    assert images_a_block(free) == 7
    monkeypatch.setattr(screening, "MOST_PIXEL_BYTES", 1)
    assert images_a_block(free) == 1


def test_memory_does_not_grow_with_the_stream(detector):
    class Endless(Noting):
        def __len__(self):
            return 20_000

        def read(self, start, stop):
            return Block(self.images[: stop - start], np.arange(start, stop))

    peaks = []
    blocks = screened(detector, Endless(stream(32, 3)))
    next(blocks)
    for wanted in (20, 80):
        tracemalloc.start()
        for _ in range(wanted):
            next(blocks)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Kept rows would be 700 kB; other threads of the tests take some, too.
    assert peaks[1] < peaks[0] + 2**18


def tally(*rows, expected=0.01):
    found = Tally(DriftMonitor(expected))
    return found, [one.index for one in rows if found.count(one)]


def test_the_tally_counts_what_was_found():
    found, _ = tally(
        row(0, verdict="clean", overlays_used=4),
        row(1, verdict="poisoned", overlays_used=20),
        unreadable(2, "a.png"),
        row(3, verdict="clean", overlays_used=6),
        unreadable(4, "b.png"),
    )
    assert (found.images, found.flagged, found.unreadable) == (5, 1, 2)
    assert found.mean_overlays_used == 10
    share = found.flagged_share
    # Wilson's interval of 1 in 3.
    assert (share.value, share.n) == (1 / 3, 3)
    assert (share.low, share.high) == pytest.approx((0.0615, 0.7923), abs=1e-4)
    assert found.faults == {"Corrupt": 2}
    assert found.examples["Corrupt"].path == "a.png"


def test_where_nothing_could_be_read_nothing_is_measured():
    found, _ = tally(unreadable(0))
    assert found.flagged_share is None
    assert found.mean_overlays_used is None


def test_the_row_that_shows_a_drift_is_told_and_broken_images_say_nothing():
    rows = [unreadable(n) if n % 2 else row(n, verdict="poisoned") for n in range(40)]
    found, alarms = tally(*rows)
    assert alarms == [20]
    assert (found.monitor.drift.since, found.monitor.drift.images) == (0, 20)


def test_what_is_expected_follows_from_the_calibration(detector):
    below = int((detector.calibration < detector.threshold).sum())
    expected = Tally.of(detector).monitor.expected
    # Clopper and Pearson's bound: so few below have a chance of 5 %.
    from scipy.stats import binom

    n = len(detector.calibration)
    assert binom.cdf(below, n, expected) == pytest.approx(0.05)
    assert expected > detector.frr
