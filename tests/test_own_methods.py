"""A method of the user's own is a class in a file that is given by its path."""

from __future__ import annotations

import sys

import pytest

from badrepair import own_methods, registry
from badrepair.blaming import place_of
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
    path = written(
        tmp_path, METHOD + "\nclass Other(Mine):\n    def fit(self, model, clean): ...\n"
    )
    assert registry.load("defenses", f"{path}:Other").__name__ == "Other"
    with pytest.raises(OptionError, match=r"expected one class .* found 2; hint: give .*:CLASS"):
        registry.load("defenses", path)


def test_a_class_with_two_names_is_one(tmp_path):
    path = written(tmp_path, METHOD + "\nAnother = Mine\n")
    assert registry.load("defenses", path).__name__ == "Mine"


def test_a_folder_can_have_a_colon_in_its_name(tmp_path):
    folder = tmp_path / "a:b.py:c"
    folder.mkdir()
    path = written(folder, METHOD)
    assert registry.load("defenses", path).__name__ == "Mine"
    assert registry.load("defenses", f"{path}:Mine").__name__ == "Mine"
    assert own_methods.source_of(f"{path}:Mine") == METHOD


def test_the_same_text_in_two_files_is_two_methods(tmp_path):
    """So that a fault is told of the file that was given."""
    paths = [written(tmp_path, METHOD, name) for name in ("one.py", "two.py")]
    assert [place_of(registry.load("defenses", path)) for path in paths] == paths


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
        ("raise ValueError('two\\nlines')", r"cannot be run: ValueError: two lines \(line 1\)"),
        ("import sys\nsys.exit(3)", r"cannot be run: SystemExit: 3 \(line 2\)"),
    ],
)
def test_a_file_that_cannot_be_run_is_an_error_in_one_line(tmp_path, text, found):
    before = set(sys.modules)
    with pytest.raises(OptionError, match=found) as caught:
        registry.load("defenses", written(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert set(sys.modules) == before


def test_a_stop_while_a_file_runs_is_a_stop(tmp_path):
    before = set(sys.modules)
    with pytest.raises(KeyboardInterrupt):
        registry.load("defenses", written(tmp_path, "raise KeyboardInterrupt"))
    assert set(sys.modules) == before


ATTACK = METHOD.replace("def repair(self, model, clean)", "def poison(self, training, classes)")
SEED = "    seed: int = 0\n"


def refused(kind, path, settings=None):
    with pytest.raises(OptionError) as caught:
        registry.make(kind, path, settings or {})
    assert (caught.value.code, caught.value.where) == ("MethodInvalid", path)
    return str(caught.value).removeprefix(f"error[MethodInvalid] {path}: ")


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        (
            "defenses",
            METHOD.replace(SEED, ""),
            "expected a field seed: int in Mine, found the fields strength;"
            " hint: add seed: int = 0",
        ),
        (
            "attacks",
            ATTACK,
            "expected a field poison_rate: float in Mine, found the fields strength, seed;"
            " hint: add poison_rate: float = 0.1",
        ),
        (
            "defenses",
            METHOD.replace(SEED, "    seed: str = ''\n"),
            "expected a field seed: int in Mine, found the fields strength, seed;"
            " hint: add seed: int = 0",
        ),
        (
            "defenses",
            METHOD.replace("strength: int = 1", "strength: int"),
            "every setting needs a default, strength of Mine has none",
        ),
        (
            "defenses",
            METHOD.replace("strength: int = 1", "strength: Unknown"),
            "every setting needs a default, strength of Mine has none",
        ),
        (
            "defenses",
            METHOD.replace("strength: int = 1", "strength: int = None"),
            "the default of strength: expected a whole number, found None",
        ),
        (
            "defenses",
            METHOD.replace("strength: int", "strength: int[3]"),
            "TypeError: type 'int' is not subscriptable",
        ),
        (
            "defenses",
            METHOD.replace("@dataclass(frozen=True, kw_only=True)\n", ""),
            "expected a dataclass, whose fields are its settings, found the class Mine",
        ),
    ],
)
def test_a_class_that_cannot_be_made_with_settings_is_refused(tmp_path, kind, text, told):
    path = written(tmp_path, text)
    assert refused(kind, path) == told
    with pytest.raises(OptionError, match="MethodInvalid"):  # when it is loaded, not when made
        registry.load(kind, path)


def test_an_attack_with_both_fields_is_one(tmp_path):
    path = written(tmp_path, ATTACK.replace(SEED, SEED + "    poison_rate: float = 0.1\n"))
    assert registry.make("attacks", path, {"poison_rate": 0.2}).poison_rate == 0.2


def test_the_fields_of_a_base_class_count(tmp_path):
    text = METHOD + "@dataclass(frozen=True, kw_only=True)\nclass More(Mine):\n    speed: int = 2\n"
    made = registry.make("defenses", written(tmp_path, text) + ":More", {"seed": 3})
    assert (made.speed, made.strength, made.seed) == (2, 1, 3)


def test_what_a_class_raises_when_it_is_made_is_a_fault_of_its_file(tmp_path):
    text = METHOD.replace(SEED, SEED + "    def __post_init__(self):\n        1 / self.strength\n")
    path = written(tmp_path, text)
    assert registry.make("defenses", path, {"strength": 1}).strength == 1
    told = refused("defenses", path, {"strength": 0})
    assert told == "ZeroDivisionError: division by zero (line 17)"


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
    [
        ("strip", False),
        ("a.py", True),
        ("b/a.py:Class", True),
        ("a.pyc", False),
        ("py", False),
        ("a:b/c.py", True),
        ("a.py/strip", False),
    ],
)
def test_a_name_tells_whether_it_is_a_file(name, is_file):
    assert own_methods.is_file_name(name) is is_file
