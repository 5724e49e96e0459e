"""RNP lets the network forget and recover, and prunes the network as it was."""

from __future__ import annotations

import numpy as np
import pytest
from backdoored import network
from cases import case_of

from badrepair.defenses.rnp import Rnp
from badrepair.models.gates import GatedNetwork


def test_unlearning_ends_when_little_is_left():
    case, gated = case_of(), GatedNetwork(network())
    assert case.accuracy(gated.network) > 0.9
    Rnp(forgotten=0.5, unlearning_rate=0.05)._unlearn(case, gated)
    assert case.accuracy(gated.network) <= 0.5


def test_recovering_trains_the_masks_alone():
    case, gated = case_of(), GatedNetwork(network())
    weights = [one.numpy() for one in gated.variables]
    Rnp(recovering_epochs=2)._recover(case, gated)
    assert all(map(np.array_equal, weights, [one.numpy() for one in gated.variables]))
    assert any(np.any(mask.numpy() < 1) for mask in gated.masks)


@pytest.mark.slow
def test_channels_that_stay_are_those_of_the_network_as_it_was():
    before = network().get_layer("conv_2").kernel.numpy()
    candidates = list(Rnp().candidates(case_of()))
    assert candidates
    for candidate in candidates:
        after = candidate.network.get_layer("conv_2").kernel.numpy()
        gone = ~np.any(after, axis=(0, 1, 2))
        np.testing.assert_array_equal(after[..., ~gone], before[..., ~gone])
