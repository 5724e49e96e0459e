"""ANP trains masks under noise on the neurons, and prunes where they fall."""

from __future__ import annotations

import numpy as np
import pytest
from backdoored import accuracy, network
from cases import case_of, repaired

from badrepair.defenses.anp import Anp
from badrepair.errors import OptionError
from badrepair.models.gates import GatedNetwork


def test_a_step_moves_masks_within_their_range_and_leaves_no_noise():
    case, gated = case_of(), GatedNetwork(network())
    step = Anp(learning_rate=50.0)._step(gated)
    weights = [one.numpy() for one in gated.variables]
    step(*next(case.drawn(40)))
    masks = np.concatenate([mask.numpy() for mask in gated.masks])
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert np.any(masks < 1)
    assert not any(np.any(noise.numpy()) for noise in gated.noises)
    assert all(map(np.array_equal, weights, [one.numpy() for one in gated.variables]))


@pytest.mark.slow
def test_channels_are_pruned_and_clean_images_are_answered_as_before():
    result = repaired("anp", steps=300)
    assert result.choices["chosen"]["pruned"] > 0
    assert accuracy(result.model) > accuracy(network()) - 0.05


@pytest.mark.parametrize(("setting", "value"), [("trade_off", 1.5), ("noise", 0.0), ("steps", 0)])
def test_settings_that_make_no_sense_are_refused(setting, value):
    with pytest.raises(OptionError, match=f"--{setting.replace('_', '-')}"):
        Anp(**{setting: value})
