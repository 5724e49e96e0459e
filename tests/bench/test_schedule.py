"""Which tasks run code that is not of the package."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from badrepair.bench.schedule import Task


@pytest.mark.parametrize(
    ("defense", "attack", "source", "is_foreign"),
    [
        ("none", "none", None, False),
        ("fine-pruning", "badnets", None, False),
        ("mine.py", "mine.py", "text", True),
        ("of-another-package", "of-another-package", None, True),
        ("badnets", "fine-pruning", None, True),
    ],
)
def test_code_is_foreign_if_it_is_a_file_or_of_another_package(defense, attack, source, is_foreign):
    net = SimpleNamespace(recipe={"attack": attack, "source": source})
    cell = SimpleNamespace(defense=SimpleNamespace(method=defense, source=source))
    assert Task(net=net, cell=cell).is_foreign is is_foreign
    assert Task(net=net).is_foreign is is_foreign


def test_a_defence_on_the_network_of_a_foreign_attack_is_not_foreign():
    net = SimpleNamespace(recipe={"attack": "mine.py", "source": "text"})
    cell = SimpleNamespace(defense=SimpleNamespace(method="strip", source=None))
    assert not Task(net=net, cell=cell).is_foreign
