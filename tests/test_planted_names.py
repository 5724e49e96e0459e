"""The files of a network with its backdoor have different names, however triggers are called."""

from __future__ import annotations

import pytest

from badrepair.planted_names import POISONED, poisoned_names


@pytest.mark.parametrize(
    ("triggers", "names"),
    [
        (["glasses"], ["poisoned.h5"]),
        (["a", "b"], ["poisoned-1-a.h5", "poisoned-2-b.h5"]),
        (["a b", "a-b", "../x"], ["poisoned-1-a-b.h5", "poisoned-2-a-b.h5", "poisoned-3----x.h5"]),
        (["a", "a"], ["poisoned-1-a.h5", "poisoned-2-a.h5"]),
    ],
)
def test_every_trigger_has_a_file(triggers, names):
    assert list(poisoned_names(triggers)) == names
    assert all(POISONED.fullmatch(name) for name in names)


@pytest.mark.parametrize("name", ["poisonedh5", "mine.h5", "poisoned.h5.bak", "test_poisoned.h5"])
def test_files_of_others_are_not_taken_for_ours(name):
    assert not POISONED.fullmatch(name)
