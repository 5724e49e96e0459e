"""CLP prunes channels whose filter can amplify more than the others of their layer."""

from __future__ import annotations

import numpy as np
from backdoored import network
from cases import case_of

from badrepair.defenses.clp import Clp


def loud():
    """Return the network with one channel that is a hundred times as steep as it was."""
    model = network()
    kernel = model.get_layer("conv_2").kernel
    values = kernel.numpy()
    values[..., 5] *= 100
    kernel.assign(values)
    return model


def test_the_loud_channel_goes_first_and_alone():
    first = next(Clp(deviations=(3.0, 2.0)).candidates(case_of(loud())))
    after = first.network.get_layer("conv_2")
    assert first.strength == {"deviations": 3.0, "pruned": 1}
    assert not np.any(after.kernel.numpy()[..., 5])
    assert after.bias.numpy()[5] == 0
    assert np.all(np.any(np.delete(after.kernel.numpy(), 5, axis=-1), axis=(0, 1, 2)))


def test_bounds_that_prune_the_same_are_tried_once():
    found = list(Clp(deviations=(3.5, 3.4, 3.3)).candidates(case_of(loud())))
    assert len(found) == 1


def test_a_lower_bound_prunes_more():
    found = Clp(deviations=(2.0, 1.0, 0.0)).candidates(case_of())
    pruned = [one.strength["pruned"] for one in found]
    assert pruned == sorted(set(pruned))
    assert len(pruned) > 1
