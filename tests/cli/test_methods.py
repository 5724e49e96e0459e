"""A sub-command of a plug-in: its settings are options, and a method of one's own can be wrong."""

from __future__ import annotations

import json
import shlex

import pytest
import typer
from typer.main import get_command

from badrepair import registry
from badrepair.cli.attack import Attacks
from badrepair.cli.methods import chosen_settings
from cli.terminal import assert_refused, run

ATTACK = '''
"""Changes nothing [at all], [/not] even [bold]a bit[/]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Mine:
    """Mine.

    Args:
        picture: A file [/tmp].
        size: One of two.
    """

    poison_rate: float = 0.1
    seed: int = 0
    picture: Path = Path("a.png")
    size: Literal[1, 2] = 1
    sizes: Sequence[Literal[1, 2]] = (1,)
    mode: Literal["soft", 3] | None = None
    counts: list[int] = field(default_factory=lambda: [1, 2])
    shares: tuple[float, ...] = (0.5,)
    labels: Sequence[int] | None = None
    sure: bool = True

    def poison(self, training, classes):
        return None
'''
OPTIONS = (
    "--picture b.png --size 2 --sizes 2 --sizes 1 --mode 3 --counts 5 --shares 1 --labels 4"
    " --no-sure --seed 7 --poison-rate 0.2"
)


@pytest.fixture
def own(tmp_path):
    """Return a function that writes an attack and returns its path."""

    def written(text=ATTACK):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return str(path)

    return written


def settings_from(path, words):
    """Return the settings that an attack gets for what was typed."""
    chosen = []

    class Listening(Attacks):
        @staticmethod
        def run(method, options):
            chosen.append(chosen_settings(registry.load("attacks", method), options))

    app = typer.Typer(cls=Listening)
    app.callback()(lambda: None)
    get_command(app)([path, "-o", "net", *shlex.split(words)], standalone_mode=False)
    return chosen[0]


def test_what_is_not_typed_is_the_default_as_json_knows_it(own):
    path = own()
    settings = settings_from(path, "")
    assert json.loads(json.dumps(settings)) == {
        "poison_rate": 0.1,
        "seed": 0,
        "picture": "a.png",
        "size": 1,
        "sizes": [1],
        "mode": None,
        "counts": [1, 2],
        "shares": [0.5],
        "labels": None,
        "sure": True,
    }
    assert registry.make("attacks", path, settings) == registry.load("attacks", path)()


def test_what_is_typed_becomes_values_of_the_settings_types(own):
    path = own()
    settings = settings_from(path, OPTIONS)
    assert json.loads(json.dumps(settings)) == {
        "poison_rate": 0.2,
        "seed": 7,
        "picture": "b.png",
        "size": 2,
        "sizes": [2, 1],
        "mode": 3,
        "counts": [5],
        "shares": [1.0],
        "labels": [4],
        "sure": False,
    }
    made = registry.make("attacks", path, settings)
    assert (made.mode, made.sizes, made.counts, str(made.picture)) == (3, (2, 1), [5], "b.png")


@pytest.mark.parametrize(
    ("words", "kind", "named"),
    [
        ("--size 3", "Usage", "--size"),
        ("--sizes 3", "OptionInvalid", "--sizes: expected one of 1, 2, found '3'"),
        ("--counts x", "Usage", "--counts"),
    ],
)
def test_a_value_that_a_setting_cannot_have_is_refused(own, tmp_path, words, kind, named):
    outcome = run("attack", own(), *words.split(), "-o", tmp_path / "net")
    assert_refused(outcome, 2, kind, named)


def test_the_help_shows_what_the_file_says_as_it_stands_there(own):
    shown = run("attack", own(), "--help")
    assert (shown.code, shown.err) == (0, "")
    assert "Changes nothing [at all], [/not] even [bold]a bit[/]." in shown.out
    assert "A file [/tmp]." in shown.out
    assert "1|2" in shown.out


def test_the_help_of_the_group_says_what_to_type():
    assert "badrepair attack METHOD [OPTIONS]" in run("attack", "--help").out


SEED, RATE = "    seed: int = 0\n", "    poison_rate: float = 0.1\n"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("x = 1 +", "SyntaxError"),
        ("import sys; sys.exit(0)", "cannot be run: SystemExit: 0"),
        ("raise OSError('no\\nspace')", "cannot be run: OSError: no space"),
        ("import no_such_module_at_all", "ModuleNotFoundError"),
        ("x = 1", "expected one class with the method poison, found 0"),
        (ATTACK.replace("@dataclass(frozen=True, kw_only=True)\n", ""), "expected a dataclass"),
        (ATTACK.replace(SEED, ""), "add seed: int = 0"),
        (ATTACK.replace(RATE, ""), "add poison_rate: float = 0.1"),
        (ATTACK.replace(SEED, SEED + "    amount: int\n"), "amount of Mine has none"),
        (ATTACK.replace("sure: bool = True", "sure: bool = 3"), "the default of sure"),
        (ATTACK.replace("lambda: [1, 2]", "lambda: 1 / 0"), "ZeroDivisionError"),
        (ATTACK.replace("sure:", "epochs: int = 3\n    sure:"), "expected no field epochs"),
        (ATTACK.replace("sure:", "data: str = 'x'\n    sure:"), "--data is an option"),
        (ATTACK.replace("sure:", "output: str = 'x'\n    sure:"), "--output is an option"),
        (ATTACK.replace("sure:", "help: str = 'x'\n    sure:"), "--help is an option"),
    ],
)
def test_a_file_that_is_no_attack_is_one_line_also_where_help_is_asked_for(
    own, tmp_path, text, named
):
    path = own(text)
    for words in (["--help"], ["-o", tmp_path / "net"]):
        assert_refused(run("attack", path, *words), 2, "MethodInvalid", path, named)
    assert not (tmp_path / "net").exists()


def test_what_an_attack_raises_when_it_is_made_is_one_line(own, tmp_path):
    path = own(ATTACK.replace(SEED, SEED + "    def __post_init__(self): 1 / self.seed\n"))
    outcome = run("attack", path, "-o", tmp_path / "net")
    assert_refused(outcome, 2, "MethodInvalid", path, "ZeroDivisionError: division by zero (line")
    assert run("attack", path, "--help").code == 0
