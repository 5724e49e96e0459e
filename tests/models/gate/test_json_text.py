"""JSON from anybody is read whole, or refused for what is wrong with it."""

from __future__ import annotations

import pytest

from badrepair.errors import ModelError
from badrepair.models.gate import json_text
from badrepair.models.gate.json_text import DEPTH, NODES, TEXT, parsed


def refused(text, code):
    with pytest.raises(ModelError) as caught:
        parsed(text, "model.keras")
    assert (caught.value.code, caught.value.where) == (code, "model.keras")
    return caught.value.problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a": [1, -2.5e3, true, null, "\\u00e4"]}', {"a": [1, -2500.0, True, None, "ä"]}),
        (b"[]", []),
        ('{"ä": 1}'.encode("utf-16"), {"ä": 1}),
        (b"9223372036854775808", 2**63),
    ],
)
def test_sound_json_is_read(text, value):
    assert parsed(text, "model.keras") == value


@pytest.mark.parametrize("text", [b"", b"{", b"[1,]", b"'a'", b"\xff\xfe\xfd", b"1" * 5000])
def test_broken_json_is_invalid(text):
    assert refused(text, "ConfigInvalid").startswith("its JSON is broken: ")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_json_has_no_number_for_is_invalid(number):
    assert f"{number} is no number of JSON" in refused(f"[{number}]".encode(), "ConfigInvalid")


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_too_large_to_hold_is_invalid(number):
    assert "too large" in refused(f"[{number}]".encode(), "ConfigInvalid")


def test_a_key_that_stands_twice_is_named(tmp_path):
    problem = refused(b'[{"a": {"module": 1, "b": 2, "module": 3}}]', "ConfigInvalid")
    assert "the key 'module' stands twice in one object" in problem


def test_a_key_that_stands_twice_steers_no_terminal():
    assert "\x1b" not in refused(b'{"\\u001b[31m": 1, "\\u001b[31m": 2}', "ConfigInvalid")


def test_the_same_key_in_two_objects_is_fine():
    assert parsed(b'[{"a": 1}, {"a": 2}]', "f") == [{"a": 1}, {"a": 2}]


def nested(depth):
    return b"[" * (depth - 1) + b"1" + b"]" * (depth - 1)


def test_forty_levels_pass_and_the_next_does_not():
    parsed(nested(DEPTH), "f")
    assert refused(nested(DEPTH + 1), "LimitExceeded") == "the config is nested more than 40 deep"


def test_nesting_beyond_what_python_can_read_is_refused():
    assert refused(nested(100_000), "LimitExceeded") == "its JSON is nested too deep"


def test_a_text_may_have_4096_characters():
    parsed(b'["' + b"a" * TEXT + b'"]', "f")
    problem = refused(b'["' + b"a" * (TEXT + 1) + b'"]', "LimitExceeded")
    assert problem == "a text is longer than 4,096 characters"


def test_a_key_is_a_text_too():
    problem = refused(b'{"' + b"a" * (TEXT + 1) + b'": 1}', "LimitExceeded")
    assert problem == "a text is longer than 4,096 characters"


def test_there_may_be_300_000_entries():
    parsed(b"[" + b"0," * (NODES - 2) + b"0]", "f")
    problem = refused(b"[" + b"0," * (NODES - 1) + b"0]", "LimitExceeded")
    assert problem == "the config has over 300,000 entries"


def test_a_text_over_its_measure_is_never_parsed(monkeypatch):
    monkeypatch.setattr(json_text, "MOST_BYTES", 10)
    assert refused(b"[" * 11, "ConfigTooLarge") == "its JSON is over 10 bytes"
