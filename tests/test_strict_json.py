"""JSON that could mean two things, or that no other program reads, is refused."""

from __future__ import annotations

import pytest

from badrepair.strict_json import TooDeepError, levels, parsed


@pytest.mark.parametrize("text", ['{"a": [1, 2.5, "x", null, true]}', "7", '"\\udc80"', b"[]"])
def test_plain_json_says_what_it_says(text):
    assert parsed('{"a": [1, 2.5, "x", null, true]}') == {"a": [1, 2.5, "x", None, True]}
    parsed(text)


@pytest.mark.parametrize("text", ["", "{", "[1,]", "{'a': 1}", b"\xff", "1 2", "9" * 5_000])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - json's own words
        parsed(text)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "1e999", "-1e999"])
def test_numbers_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match=r"is no number of JSON|is too large a number"):
        parsed(text)


@pytest.mark.parametrize("text", ['{"a": 1, "b": 2, "a": 1}', '[{"c": {"a": 1, "a": 2}}]'])
def test_a_key_that_stands_twice_is_named(text):
    with pytest.raises(ValueError, match="the key 'a' stands twice"):
        parsed(text)


def test_a_hundred_thousand_keys_of_which_two_are_equal_take_no_time():
    pairs = ", ".join(f'"{number}": 0' for number in range(100_000))
    with pytest.raises(ValueError, match="the key '99999' stands twice"):
        parsed("{" + pairs + ', "99999": 0}')


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_what_is_nested_too_deep_is_an_error_of_its_own(text):
    with pytest.raises(TooDeepError):
        parsed(text)


def test_levels_come_from_the_outside_in():
    assert list(levels({"a": [1, {"b": 2}], "c": 3})) == [
        [{"a": [1, {"b": 2}], "c": 3}],
        [[1, {"b": 2}], 3],
        [1, {"b": 2}],
        [2],
    ]
