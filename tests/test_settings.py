"""The settings of a plug-in are told by its class, and are read from plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from badrepair import registry
from badrepair.errors import OptionError
from badrepair.settings import PLAIN, settings_of, with_settings

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


def test_a_class_that_is_no_dataclass_has_no_settings():
    class Plain:
        pass

    with pytest.raises(OptionError, match="Plain: expected a dataclass"):
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
