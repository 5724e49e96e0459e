"""Clip tightens the bounds of channels as long as clean images are answered rightly."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from backdoored import accuracy, network
from cases import repaired

from badrepair.defenses import clip


def prices(*right):
    """Return the price after each step that was right or not."""
    price, streak = keras.Variable(1.0), keras.Variable(0.0)
    found = []
    for one in right:
        clip._set_price(price, streak, np.bool_(one))
        found.append(float(price.numpy()))
    return found


def test_the_price_doubles_after_five_right_steps_in_a_row():
    assert prices(*[True] * 10) == [1, 1, 1, 1, 2, 2, 2, 2, 2, 4]


def test_it_falls_after_five_that_were_not():
    assert prices(*[False] * 5)[-1] == pytest.approx(2**-1.5)


def test_a_step_of_the_other_kind_begins_a_new_row():
    assert prices(*[True] * 4, False, *[True] * 4) == [1] * 9


@pytest.mark.slow
def test_bounds_are_put_into_the_network_and_no_weight_changes():
    result = repaired("clip", steps=200)
    before = network()
    assert all(map(np.array_equal, before.get_weights(), result.model.get_weights()))
    assert len(result.model.layers) > len(before.layers)
    assert accuracy(result.model) > accuracy(before) - 0.05
