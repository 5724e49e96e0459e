"""The strength of a repair is chosen by held-out accuracy and by probes, within the budget."""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import keras
import numpy as np
import pytest
from keras import layers

from badrepair.mending.choosing import Candidate, choose, standard_error


def answering(label):
    """Return a network that answers one class whatever it sees."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(4)])
    model.layers[0].set_weights([np.zeros((1, 4)), np.eye(4)[label]])
    return model


class FakeCase:
    """Accuracies by what a network answers: 0 is the network before."""

    accuracies: ClassVar = {0: 0.9, 1: 0.87, 2: 0.8, 3: 0.9}
    images = 100_000  # so many that there is no error to speak of

    def __init__(self, passes_after=99):
        self.before, self.asked, self.passes_after = answering(0), 0, passes_after
        self.deadline = SimpleNamespace(passed=False)

    @property
    def baseline(self):
        return self.accuracies[0]

    @property
    def right_before(self):
        return self.first(self.accuracies[0])

    def right(self, network):
        self.asked += 1
        self.deadline.passed = self.asked >= self.passes_after
        return self.first(self.accuracies[class_of(network)])

    def first(self, share):
        return np.arange(self.images) < round(share * self.images)


class FakeProbes:
    successes: ClassVar = {0: 1.0, 1: 0.2, 2: 0.0, 3: 0.95}

    def success(self, network):
        return self.successes[class_of(network)]


def class_of(network):
    return int(np.argmax(network(np.zeros((1, 1)))))


def candidates(*labels, complete=False):
    """Yield candidates that are all the same object, as repairs do that train in place."""
    network = answering(0)
    for label in labels:
        network.layers[0].bias.assign(np.eye(4)[label])
        yield Candidate(network=network, strength={"answer": label}, complete=complete)


def chosen(*labels, max_drop=0.04, complete=False, **case):
    found = candidates(*labels, complete=complete)
    return choose(FakeCase(**case), FakeProbes(), found, max_drop=max_drop)


def test_the_best_within_the_budget_is_taken():
    # Scores: 1 has 0.87 - 0.2, 3 has 0.9 - 0.95; 2 has lost too much.
    choice = chosen(3, 1, 2)
    assert choice.best.strength == {"answer": 1}
    assert choice.best.score == pytest.approx(0.67)
    assert class_of(choice.network) == 1


def test_a_larger_budget_takes_more():
    assert chosen(3, 1, 2, max_drop=0.1).best.strength == {"answer": 2}


def test_a_drop_of_exactly_the_budget_still_passes():
    assert chosen(1, max_drop=0.03).best is not None


def test_few_images_are_given_the_benefit_of_one_standard_error(monkeypatch):
    """Of 100 images, 3 are lost: the error is the root of 0.03 - 0.03^2, over 10."""
    assert chosen(1, max_drop=0.015).best is None
    monkeypatch.setattr(FakeCase, "images", 100)
    choice = chosen(1, max_drop=0.015)
    assert choice.best.error == pytest.approx((0.03 - 0.03**2) ** 0.5 / 10)
    assert chosen(1, max_drop=0.012).best is None


def test_the_error_counts_what_changed_in_both_directions():
    before, after = np.array([1, 1, 0, 1], bool), np.array([0, 1, 1, 1], bool)
    # One lost and one won: the mean change is 0, its variance a half.
    assert standard_error(before, after) == pytest.approx((0.5 / 4) ** 0.5)


def test_of_equals_the_first_is_taken():
    choice = chosen(1, 1)
    assert choice.network is not None
    assert len(choice.scored) == 2


def test_without_any_within_the_budget_none_is_taken():
    choice = chosen(2, max_drop=0.01)
    assert choice.network is None
    assert choice.choices()["chosen"] is None
    assert "none of 1 candidate keeps the held-out clean accuracy of 90.00 % within" in choice.why()


def test_the_record_keeps_all_candidates_with_their_scores():
    rows = chosen(3, 1, 2).choices()["candidates"]
    assert [row["answer"] for row in rows] == [3, 1, 2]
    error = rows[2].pop("error")
    assert rows[2] == {"answer": 2, "accuracy": 0.8, "probe_success": 0.0, "score": 0.8}
    assert 0 < error < 0.001


def test_after_the_deadline_no_more_are_asked_for_but_one_always_is():
    choice = chosen(1, 3, 3, passes_after=1)
    assert len(choice.scored) == 1
    assert choice.in_time is False
    assert "the time was over before all were tried" in choice.why()


def test_stronger_candidates_are_not_asked_for_once_the_probes_are_quiet():
    # The probes work at 0.95 after the first, and at 0.2 after the second.
    assert len(chosen(3, 1, 3, complete=True).scored) == 2
    assert len(chosen(3, 1, 3, complete=False).scored) == 3


def test_the_sentence_says_what_was_chosen_and_how_it_compares():
    assert chosen(1).why() == (
        "answer 1, the best of 1 candidate: 87.00 % of the held-out clean images right (before:"
        " 90.00 %), stand-ins for the trigger work on 20.00 % (before: 100.00 %)"
    )
