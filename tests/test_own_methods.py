"""A method of the user's own is a class in a file that is given by its path."""

from __future__ import annotations

import sys

import pytest

from badrepair import own_methods, registry
from badrepair.errors import InputMissingError, OptionError

METHOD = '''
from __future__ import annotations
from dataclasses import dataclass

@dataclass(frozen=True, kw_only=True)
class Mine:
    """Mine.

    Args:
        strength: How strong.
        seed: Fixes all.
    """

    strength: int = 1
    seed: int = 0

    def repair(self, model, clean):
        return model
'''


def written(folder, text, name="my_method.py"):
    path = folder / name
    path.write_text(text)
    return str(path)


def test_a_file_with_one_class_is_a_method(tmp_path):
    made = registry.make("defenses", written(tmp_path, METHOD), {"strength": 3})
    assert (type(made).__name__, made.strength) == ("Mine", 3)


def test_of_several_classes_one_is_named(tmp_path):
    path = written(tmp_path, METHOD + "\nclass Other:\n    def fit(self, model, clean): ...\n")
    assert registry.load("defenses", f"{path}:Other").__name__ == "Other"
    with pytest.raises(OptionError, match=r"expected one class .* found 2; hint: give .*:CLASS"):
        registry.load("defenses", path)


def test_classes_that_a_file_imports_are_not_its_own(tmp_path):
    path = written(tmp_path, METHOD + "\nfrom badrepair.defenses.strip import Strip\n")
    assert registry.load("defenses", path).__name__ == "Mine"


def test_a_class_without_the_method_of_its_kind_is_none(tmp_path):
    with pytest.raises(OptionError, match="one class with the method poison, found 0"):
        registry.load("attacks", written(tmp_path, METHOD))


def test_the_text_decides_and_not_the_file(tmp_path):
    """A worker elsewhere has the text, and no such file."""
    path = str(tmp_path / "gone.py")
    assert registry.load("defenses", path, METHOD).__name__ == "Mine"
    other = METHOD.replace("strength: int = 1", "strength: int = 2")
    assert registry.make("defenses", path, {}, other).strength == 2
    assert registry.make("defenses", path, {}, METHOD).strength == 1


def test_a_file_runs_once(tmp_path):
    path = written(tmp_path, METHOD)
    assert registry.load("defenses", path) is registry.load("defenses", path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1 +", "cannot be run: SyntaxError"),
        ("raise ValueError('no')", "cannot be run: ValueError: no"),
        ("import no_such_module_at_all", "cannot be run: ModuleNotFoundError"),
    ],
)
def test_a_file_that_cannot_be_run_is_an_error_in_one_line(tmp_path, text, found):
    before = set(sys.modules)
    with pytest.raises(OptionError, match=found) as caught:
        registry.load("defenses", written(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert set(sys.modules) == before


def test_there_must_be_such_a_file(tmp_path):
    with pytest.raises(InputMissingError):
        registry.load("defenses", str(tmp_path / "none.py"))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "binary.py"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="expected Python, found no text"):
        registry.load("defenses", str(path))


@pytest.mark.parametrize(
    ("name", "is_file"),
    [("strip", False), ("a.py", True), ("b/a.py:Class", True), ("a.pyc", False), ("py", False)],
)
def test_a_name_tells_whether_it_is_a_file(name, is_file):
    assert own_methods.is_file_name(name) is is_file
