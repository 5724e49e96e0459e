"""Unlearning removes the backdoor of a network that it knows nothing of, and keeps the rest."""

from __future__ import annotations

import numpy as np
import pytest
from backdoored import accuracy, attack_success, blobs, network
from cases import repaired

from badrepair.defenses.unlearn import Unlearn
from badrepair.errors import OptionError


@pytest.fixture(scope="module")
def result():
    return repaired("unlearn")


def test_the_backdoor_is_gone_and_clean_images_are_answered_as_before(result):
    assert attack_success(network()) > 0.95
    assert attack_success(result.model) < 0.2
    assert accuracy(result.model) > accuracy(network()) - 0.03


def test_the_record_says_what_was_chosen_of_which_candidates(result):
    choices = result.choices
    told = [(row["weight"], row["steps"]) for row in choices["candidates"]]
    assert told[:6] == [(0.2, steps) for steps in (50, 100, 150, 200, 250, 300)]
    assert choices["chosen"] in choices["candidates"]
    assert choices["chosen"]["probe_success"] < choices["probe_success_before"]
    assert choices["images"] == {"tuning": 80, "held_out": 20}


def test_the_network_keeps_its_architecture(result):
    before = network()
    assert [w.shape for w in result.model.get_weights()] == [w.shape for w in before.get_weights()]
    kinds = [type(layer) for layer in before.layers]
    assert [type(layer) for layer in result.model.layers] == kinds


def test_when_the_time_is_over_the_best_so_far_is_taken():
    result = Unlearn(minutes=1e-6).repair(network(), blobs(100, 4))
    assert len(result.choices["candidates"]) == 1
    assert not result.choices["in_time"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("steps", 0), ("warm_up", -1), ("strengths", (0.0,)), ("learning_rate", -1.0)),
        *(("max_drop", 1.5), ("minutes", 0.0), ("held_out", 1.0), ("batch_size", 0)),
        *(("learning_rate", float("inf")), ("learning_rate", float("nan"))),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, value):
    with pytest.raises(OptionError, match=f"--{setting.replace('_', '-')}"):
        Unlearn(**{setting: value})


def test_a_larger_weight_is_tried_where_the_probes_still_work():
    """With hardly any weight nothing is unlearnt."""
    tried = Unlearn(strengths=(1e-9, 0.5), steps=6, warm_up=1).repair(network(), blobs(100, 4))
    assert {row["weight"] for row in tried.choices["candidates"]} == {1e-9, 0.5}


def test_ten_images_are_enough_to_work_with():
    result = Unlearn(steps=12, warm_up=5, max_drop=1.0).repair(network(), blobs(10, 4))
    assert result.choices["images"] == {"tuning": 8, "held_out": 2}
    assert all(np.isfinite(w).all() for w in result.model.get_weights())
