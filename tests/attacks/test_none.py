"""The clean control changes nothing, and cannot be told to."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.attacks.none import None_
from badrepair.errors import OptionError
from badrepair.types import Dataset


def test_the_training_set_is_a_copy_of_what_it_was():
    images = np.arange(32, dtype=np.uint8).reshape(2, 4, 4, 1)
    clean = Dataset(images=images, labels=np.array([1, 0]), name="clean")
    backdoor = None_().poison(clean, 2)
    assert np.array_equal(backdoor.training.images, images)
    assert not np.shares_memory(backdoor.training.images, images)
    assert backdoor.training.labels.tolist() == [1, 0]
    assert backdoor.training.true_labels.tolist() == [1, 0]


def test_there_are_no_triggers_and_no_rows():
    clean = Dataset(images=np.zeros((2, 4, 4, 1), np.uint8), labels=np.array([1, 0]))
    backdoor = None_(seed=3).poison(clean, 2)
    assert backdoor.triggers == ()
    assert backdoor.poisoned.tolist() == backdoor.covers.tolist() == []


def test_a_poison_rate_is_refused():
    with pytest.raises(OptionError, match=r"expected 0, since nothing is poisoned, found 0\.1"):
        None_(poison_rate=0.1)
