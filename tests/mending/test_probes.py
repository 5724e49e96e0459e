"""Probes stand in for the unknown trigger: they work on the network as it was."""

from __future__ import annotations

import numpy as np
import pytest
from backdoored import architecture, control, network
from test_case import case_of

from badrepair.mending.probes import Probes


@pytest.fixture(scope="module")
def probes():
    return Probes.of(case_of())


def test_a_network_with_a_backdoor_answers_to_one_more_than_a_clean_one_does(probes):
    of_clean = Probes.of(case_of(control())).success(control())
    assert probes.success(network()) > max(0.6, of_clean + 0.2)


def test_no_probe_is_put_on_an_image_of_its_own_class(probes):
    # 20 held-out images, 5 of each of 4 classes: 15 others for each of 3 families a class.
    assert len(probes.images) == 4 * 3 * 15
    assert list(np.bincount(probes.probe)) == [15] * 12


def test_success_is_that_of_the_best_probe():
    probes = Probes(
        images=np.zeros((6, 16, 16, 1), np.float32),
        targets=np.array([0, 0, 0, 1, 1, 1]),
        probe=np.array([0, 0, 0, 1, 1, 1]),
        batch_size=2,
    )
    model = architecture()
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    model.get_layer("scores").bias.assign([0, 1, 0, 0])
    assert probes.success(model) == 1.0
    model.get_layer("scores").bias.assign([0, 0, 1, 0])
    assert probes.success(model) == 0.0


def test_the_same_seed_makes_the_same_probes(probes):
    np.testing.assert_array_equal(Probes.of(case_of()).images, probes.images)
