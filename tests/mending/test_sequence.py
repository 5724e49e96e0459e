"""Repairs in a row share one budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from backdoored import blobs, network

from badrepair import registry
from badrepair.errors import OptionError
from badrepair.mending.sequence import in_sequence
from badrepair.models.surgery import copy_model
from badrepair.settings import settings_of
from badrepair.types import RepairResult


@dataclass(frozen=True, kw_only=True)
class Fake:
    """Notes what it was given; loses a point and a half."""

    max_drop: float = 0.5
    minutes: float = 1.0
    seed: int = 0
    given: ClassVar[list] = []

    def repair(self, model, clean):
        self.given.append((self.max_drop, self.minutes, self.seed, model))
        choices = {"baseline_accuracy": 0.9, "chosen": {"accuracy": 0.885}, "why": "because"}
        return RepairResult(model=copy_model(model), choices=choices, curve=({"accuracy": 1.0},))


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Knows nothing of budgets."""

    seed: int = 0

    def repair(self, model, clean):
        return RepairResult(model=copy_model(model))


@pytest.fixture
def result():
    Fake.given.clear()
    kind = in_sequence("a+b+c", ["a", "b", "c"], [Fake, Plain, Fake])
    return kind(max_drop=0.04, minutes=6.0, seed=5).repair(network(), blobs(8, 0))


def test_what_one_has_lost_the_next_may_not_lose_again(result):
    assert [round(drop, 3) for drop, *_ in Fake.given] == [0.04, 0.025]


def test_each_has_an_equal_part_of_the_time_that_is_left(result):
    minutes = [minutes for _, minutes, *_ in Fake.given]
    assert minutes[0] == pytest.approx(2, abs=0.1)
    assert minutes[1] == pytest.approx(6, abs=0.2)


def test_each_gets_the_network_of_the_one_before_and_the_seed(result):
    assert [seed for _, _, seed, _ in Fake.given] == [5, 5]
    assert Fake.given[1][3] is result.stages["b"]
    assert result.model is result.stages["c"]


def test_the_record_has_the_choices_of_all(result):
    assert list(result.choices["parts"]) == ["a", "b", "c"]
    assert result.choices["why"] == "a: because; then b: no reason; then c: because"
    assert len(result.curve) == 2


def test_a_name_with_plus_between_is_a_sequence():
    kind = registry.load("defenses", "fine-pruning+fine-tuning")
    assert kind.names == ("fine-pruning", "fine-tuning")
    names = {setting.name for setting in settings_of(kind)}
    assert names == {"max_drop", "minutes", "held_out", "batch_size", "seed"}
    made = registry.make("defenses", "fine-pruning+fine-tuning", {"minutes": 3})
    assert (made.minutes, made.seed) == (3, 0)


def test_a_detector_is_no_part_of_a_sequence():
    with pytest.raises(OptionError, match="found strip, which repairs nothing"):
        registry.load("defenses", "fine-tuning+strip")


def test_an_unknown_part_is_told():
    with pytest.raises(OptionError, match="expected one of the defenses"):
        registry.load("defenses", "fine-tuning+nonsense")


def test_weights_of_the_network_that_was_given_stay(result):
    given = Fake.given[0][3]
    assert all(map(np.array_equal, given.get_weights(), network().get_weights()))
