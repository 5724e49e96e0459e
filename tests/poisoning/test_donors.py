"""A cover image gets the trigger of some other image, never its own."""

from __future__ import annotations

import numpy as np

from badrepair.poisoning.donors import donors


def test_no_cover_gets_its_own_trigger_and_every_other_image_may_lend_one():
    covers = np.tile(np.arange(4), 50)
    found = donors(covers, 4, seed=0)
    for row in range(4):
        assert set(found[covers == row].tolist()) == {0, 1, 2, 3} - {row}


def test_the_seed_decides_who_lends():
    first, same, other = (donors(np.arange(20), 100, seed=seed).tolist() for seed in (3, 3, 4))
    assert first == same != other


def test_without_covers_nobody_lends():
    assert donors(np.empty(0, np.int64), 0, seed=0).tolist() == []
