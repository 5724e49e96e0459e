"""FST and D3 drive the last layer away from the original one, and keep its length."""

from __future__ import annotations

import numpy as np
import pytest
from backdoored import accuracy, attack_success, blobs, network
from cases import case_of, repaired

from badrepair.defenses.d3 import D3
from badrepair.defenses.fst import Fst

ORIGINAL = "scores"


def head(model):
    return model.get_layer(ORIGINAL).kernel.numpy()


def likeness(model):
    """Return the cosine between a last layer and the original one."""
    one, other = head(model), head(network())
    return float(np.sum(one * other) / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("defense", [Fst(steps=12), D3(steps=12)], ids=["fst", "d3"])
def test_the_length_of_the_last_layer_is_kept(defense):
    for candidate in defense.candidates(case_of()):
        found = np.linalg.norm(head(candidate.network))
        assert found == pytest.approx(np.linalg.norm(head(network())), rel=1e-4)


def test_a_last_layer_that_is_repelled_ends_less_like_the_original():
    last = [
        list(Fst(repulsions=(strength,), steps=40).candidates(case_of()))[-1].network
        for strength in (1e-6, 1.0)
    ]
    assert likeness(last[1]) < likeness(last[0])


def test_d3_begins_at_prototypes_where_a_class_has_few_images():
    few, many = case_of(clean=blobs(40, 4)), case_of(clean=blobs(200, 4))
    assert D3()._start(few) == "prototypes"
    assert D3()._start(many) == "random"
    assert D3(start="random")._start(few) == "random"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fst", "d3"])
def test_the_backdoor_is_gone_and_clean_images_are_answered_rightly(name):
    result = repaired(name)
    assert accuracy(result.model) > 0.9
    assert attack_success(result.model) < 0.2
