"""Of many classes, those are suspected to which the easiest ways from the truth lead."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from backdoored import TARGET, network
from keras import layers
from test_case import case_of

from badrepair.mending import shortlist as module
from badrepair.mending.shortlist import shortlist, sources


def test_few_classes_are_all_suspected():
    assert list(shortlist(case_of())) == [0, 1, 2, 3]
    assert list(sources(case_of())) == [0, 1, 2, 3]


def test_of_many_classes_the_target_is_among_the_suspects(monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    found = shortlist(case_of())
    assert len(found) == 2
    assert TARGET in found


def test_of_many_classes_none_has_triggers_of_its_own(monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    assert not len(sources(case_of()))


def test_second_best_answers_decide_where_no_trigger_leads_anywhere(monkeypatch):
    """A network that answers every image with its own brightest corner is led nowhere."""
    monkeypatch.setattr(module, "MOST", 1)
    monkeypatch.setattr(module, "STEPS", 0)
    monkeypatch.setattr(module, "ROAMING", 0)
    before = network()
    image = keras.Input((16, 16, 1))
    bias = keras.Model(image, layers.Dense(4, name="tilted")(before(image)))
    # The class scores as they are, with a second-best answer of 2 for all but images of 2.
    bias.get_layer("tilted").set_weights([np.eye(4), np.array([0, 0, 0.4, 0])])
    assert list(shortlist(case_of(bias))) == [2]


@pytest.mark.parametrize("batch_size", [7, 100])
def test_the_size_of_a_batch_changes_nothing_but_the_training(batch_size, monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    assert TARGET in shortlist(case_of(batch_size=batch_size))
