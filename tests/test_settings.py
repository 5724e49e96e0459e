"""The settings of a plug-in are told by its class, and are read from plain values."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from badrepair import registry
from badrepair.errors import OptionError
from badrepair.settings import PLAIN, plain, settings_of, with_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from badrepair.types import Dataset


@dataclass(frozen=True, kw_only=True)
class Plugged:
    """A plug-in.

    Args:
        share: A share, in [0, 1].
        times: How often,
            told in two lines.
        mode: One of two.
        names: Several.
        picture: A file.
        limit: None for no limit.
        sure: Yes or no.
        images: What no command can give.
    """

    share: float = 0.5
    times: int = 3
    mode: Literal["fast", "slow"] = "fast"
    names: Sequence[str] = ("a",)
    picture: Path | None = None
    limit: int | None = None
    sure: bool = False
    images: Dataset | None = None


SETTINGS = {setting.name: setting for setting in settings_of(Plugged)}


def test_every_field_with_a_plain_type_is_a_setting_in_the_order_of_the_fields():
    assert list(SETTINGS) == ["share", "times", "mode", "names", "picture", "limit", "sure"]
    kinds = [setting.kind for setting in SETTINGS.values()]
    assert kinds == [float, int, str, str, Path, int, bool]


def test_what_the_docstring_says_of_a_setting_is_one_line():
    assert SETTINGS["times"].explanation == "How often, told in two lines."
    assert SETTINGS["sure"].explanation == "Yes or no."


def test_choices_lists_and_none_are_told():
    assert SETTINGS["mode"].choices == ("fast", "slow")
    assert [name for name, one in SETTINGS.items() if one.repeated] == ["names"]
    assert [name for name, one in SETTINGS.items() if one.optional] == ["picture", "limit"]
    assert SETTINGS["names"].default == ("a",)
    assert SETTINGS["share"].option == "--share"


def test_plain_values_become_what_the_fields_take():
    made = with_settings(
        Plugged, {"share": 1, "names": ["x", "y"], "picture": "a.png", "limit": None, "sure": True}
    )
    expected = Plugged(share=1.0, names=("x", "y"), picture=Path("a.png"), limit=None, sure=True)
    assert made == expected
    assert type(made.share) is float


def test_a_single_value_serves_where_several_can_stand():
    assert with_settings(Plugged, {"names": "x"}).names == ("x",)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("share", "0.5", "a number"),
        ("share", True, "a number"),
        ("times", 1.5, "a whole number"),
        ("times", True, "a whole number"),
        ("times", None, "a whole number"),
        ("mode", "medium", "one of fast, slow"),
        ("names", [1], "a text"),
        ("sure", 1, "true or false"),
    ],
)
def test_a_value_of_another_type_is_refused(name, value, expected):
    with pytest.raises(OptionError, match=f"--{name}: expected {expected}, found") as caught:
        with_settings(Plugged, {name: value})
    assert caught.value.code == "OptionInvalid"


def test_a_setting_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(OptionError, match="Plugged has no such setting, it has share, times"):
        with_settings(Plugged, {"speed": 1})


@dataclass(frozen=True, kw_only=True)
class Several(Plugged):
    """A plug-in with more of everything.

    Args:
        sizes: Of a factory.
    """

    sizes: Sequence[int] = field(default_factory=lambda: (1, 2))
    listed: list[int] = field(default_factory=lambda: [3])
    shares: tuple[float, ...] = (0.5,)
    pair: tuple[int, str] = (1, "a")
    perhaps: Sequence[int] | None = None
    step: Literal[1, 2.5, True] = 1
    word: Literal["a", None] = None
    steps: tuple[Literal[1, 2], ...] = (1,)
    made: int = field(default=0, init=False)


MORE = {setting.name: setting for setting in settings_of(Several)}


def test_a_default_can_come_of_a_factory():
    assert MORE["sizes"].default == (1, 2)


def test_the_fields_of_a_base_class_are_settings_too_and_its_docstring_explains_them():
    assert list(MORE)[: len(SETTINGS)] == list(SETTINGS)
    assert MORE["sure"].explanation == "Yes or no."
    assert MORE["sizes"].explanation == "Of a factory."


def test_a_list_and_a_tuple_hold_several_of_one_type_and_nothing_else_does():
    kinds = {name: setting.kind for name, setting in MORE.items() if setting.repeated}
    named = {"names": str, "sizes": int, "listed": int, "shares": float, "perhaps": int}
    assert kinds == {**named, "steps": int}
    assert "pair" not in MORE


def test_several_values_are_held_as_the_field_says():
    made = with_settings(Several, {"listed": [4, 5], "shares": [1], "perhaps": None})
    assert (made.listed, made.shares, made.perhaps) == ([4, 5], (1.0,), None)
    assert with_settings(Several, {"perhaps": [7]}).perhaps == (7,)


def test_what_no_caller_can_give_is_no_setting():
    assert "made" not in MORE


def test_choices_are_values_and_no_texts():
    assert MORE["step"].choices == (1, 2.5, True)
    assert with_settings(Several, {"step": 2.5, "steps": [2, 1]}) == Several(step=2.5, steps=(2, 1))
    assert with_settings(Several, {"step": True}).step is True
    assert MORE["word"].choices == ("a",)
    assert MORE["word"].optional
    with pytest.raises(OptionError, match=r"--step: expected one of 1, 2\.5, True, found '1'"):
        with_settings(Several, {"step": "1"})


def test_a_path_is_read_from_a_text_and_from_a_path():
    for given in ("a.png", Path("a.png")):
        assert with_settings(Plugged, {"picture": given}).picture == Path("a.png")
    with pytest.raises(OptionError, match="--picture: expected a text, found 1"):
        with_settings(Plugged, {"picture": 1})


def test_plain_values_are_as_json_knows_them():
    assert plain((Path("a"), [1, (2.5, None)], True)) == ["a", [1, [2.5, None]], True]


def test_a_field_without_a_default_has_none():
    @dataclass
    class Bare:
        name: str

    assert settings_of(Bare)[0].default is MISSING


def test_what_a_class_of_another_package_raises_is_a_fault_of_it():
    @dataclass
    class Raising:
        share: float = 0.5

        def __post_init__(self):
            if self.share == 1:
                raise OptionError("OptionInvalid", "--share", "expected less than 1, found 1")
            raise ZeroDivisionError("by 0")

    found = r"\[MethodInvalid\] test_settings:.*Raising: ZeroDivisionError: by 0"
    with pytest.raises(OptionError, match=found):
        with_settings(Raising, {})
    with pytest.raises(OptionError, match="--share: expected less than 1"):
        with_settings(Raising, {"share": 1})


def test_a_class_that_is_no_dataclass_has_no_settings():
    class Plain:
        pass

    with pytest.raises(OptionError, match=r"Plain: expected a dataclass, .* found the class Plain"):
        settings_of(Plain)


@pytest.mark.parametrize("kind", ["attacks", "defenses"])
def test_every_plug_in_has_settings_that_can_be_given_as_they_are(kind):
    for name in registry.names(kind):
        plug_in = registry.load(kind, name)
        settings = settings_of(plug_in)
        assert "seed" in {setting.name for setting in settings}
        assert {setting.kind for setting in settings} <= set(PLAIN)
        assert all(setting.explanation.endswith(".") for setting in settings), name
        given = {setting.name: setting.default for setting in settings}
        assert with_settings(plug_in, given) == plug_in()
