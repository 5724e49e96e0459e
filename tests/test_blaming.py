"""A fault of the user's own method is one line that names its file."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from badrepair import registry
from badrepair.blaming import blaming, place_of
from badrepair.errors import DataError, OptionError
from badrepair.settings import Setting


@dataclass
class Theirs:
    """Stands in another package."""


def raised(error, place="mine.py"):
    with pytest.raises(OptionError) as caught, blaming(place):
        raise error
    return str(caught.value)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no"), "ValueError: no"),
        (ValueError("two\nlines"), "ValueError: two lines"),
        (KeyError(), "KeyError"),
        (StopIteration(3), "StopIteration: 3"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_whatever_is_raised_becomes_one_line_with_the_place(error, told):
    assert raised(error) == f"error[MethodInvalid] mine.py: {told}"


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), MemoryError(), DataError("Bad", "x", "y")], ids=repr
)
def test_a_stop_a_lack_of_memory_and_a_fault_that_is_told_already_pass(error):
    with pytest.raises(type(error)) as caught, blaming("mine.py"):
        raise error
    assert caught.value is error


def test_the_line_of_the_file_is_told():
    code = compile("def fail():\n    return 1 / 0\nfail()\n", "mine.py", "exec")
    with pytest.raises(OptionError, match=r"ZeroDivisionError: .* \(line 2\)$"), blaming("mine.py"):
        exec(code, {})


def test_badrepair_is_not_blamed():
    with pytest.raises(ValueError, match="ours"), blaming(None):
        raise ValueError("ours")


def test_the_place_is_the_file_or_the_package_of_a_class(tmp_path):
    path = tmp_path / "mine.py"
    text = "from dataclasses import dataclass\n@dataclass\nclass Mine:\n    seed: int = 0\n"
    path.write_text(text + "    def fit(self, model, clean): ...\n")
    assert place_of(registry.load("defenses", str(path))) == str(path)
    assert place_of(Theirs) == "test_blaming:Theirs"
    assert place_of(Setting) is None
