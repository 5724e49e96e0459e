"""Masks below a threshold fall to zero, the others open again."""

from __future__ import annotations

import numpy as np
from backdoored import network

from badrepair.mending.thresholds import THRESHOLDS, below
from badrepair.models.gates import GatedNetwork


def test_thresholds_go_from_a_twentieth_to_nearly_one():
    assert THRESHOLDS[0] == 0.05
    assert THRESHOLDS[-1] == 0.95
    assert len(THRESHOLDS) == 19


def test_a_threshold_prunes_what_is_below_it_and_leaves_the_rest_as_it_was():
    model = network()
    gated = GatedNetwork(model)
    first = gated.gated[0].gate.mask
    first.assign([0.0, 0.31, 0.31, 0.62, 0.9, 1, 1, 1])
    found = list(below(gated))
    told = [(one.strength["threshold"], one.strength["pruned"]) for one in found]
    assert told == [(0.05, 1), (0.35, 3), (0.65, 4), (0.95, 5)]
    gamma = found[1].network.get_layer("norm_1").gamma.numpy()
    before = model.get_layer("norm_1").gamma.numpy()
    np.testing.assert_array_equal(gamma[:3], 0)
    np.testing.assert_array_equal(gamma[3:], before[3:])


def test_open_masks_make_no_candidate():
    assert not list(below(GatedNetwork(network())))
