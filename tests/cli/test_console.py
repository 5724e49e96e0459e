"""What is shown and where: data on stdout, words on stderr, bars for people only."""

from __future__ import annotations

import time
from contextlib import redirect_stderr, redirect_stdout

import pytest

from badrepair import progress
from badrepair.cli import console
from cli.terminal import Screen


@pytest.fixture
def watched(monkeypatch):
    """Return a function that shows something on a terminal of 80 columns and returns all of it."""
    monkeypatch.setattr(console, "SECONDS_BEFORE_A_BAR", 0.0)
    for name, value in {"TERM": "xterm", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)

    def watched(show):
        with redirect_stderr(Screen()) as terminal, console.drawing():
            show()
        return terminal.getvalue()

    return watched


@pytest.fixture(autouse=True)
def not_quiet():
    console.set_quiet(False)
    yield
    console.set_quiet(False)


def loop(items=3, seconds=0.01):
    for _ in progress.track(range(items), "pruning [levels]", items):
        time.sleep(seconds)


def test_a_note_goes_to_stderr_and_quiet_drops_it(capsys):
    console.note("a [bold]word[/bold]")
    console.set_quiet(True)
    console.note("another")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "a [bold]word[/bold]\n")


def test_an_error_is_one_line_however_long_and_quiet_keeps_it(capsys):
    console.set_quiet(True)
    console.complain("error[X] " + "word\n" * 100)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error[X] " + "word " * 99 + "word\n"


def test_control_characters_are_spelt_out(capsys):
    console.note("\x1b[31mred\u202e")
    assert capsys.readouterr().err == "\\x1b[31mred\\u202e\n"


def test_a_slow_loop_on_a_terminal_has_a_bar_that_goes_away(watched):
    seen = watched(loop)
    assert "pruning [levels]" in seen
    assert "/3" in seen
    # The line is erased and the cursor shown again.
    assert "\x1b[2K" in seen[-20:]
    assert seen.count("\x1b[?25h") == 1


def test_a_quick_loop_has_no_bar(watched, monkeypatch):
    monkeypatch.setattr(console, "SECONDS_BEFORE_A_BAR", 60.0)
    assert watched(loop) == ""


def test_quiet_has_no_bar(watched):
    console.set_quiet(True)
    assert watched(loop) == ""


def test_nobody_watching_has_no_bar(capsys, monkeypatch):
    monkeypatch.setattr(console, "SECONDS_BEFORE_A_BAR", 0.0)
    with console.drawing():
        loop()
    assert capsys.readouterr().err == ""


def test_a_loop_inside_a_loop_shares_the_display(watched):
    def nested():
        for _ in progress.track(range(2), "outer", 2):
            time.sleep(0.01)
            loop(2)

    seen = watched(nested)
    assert "outer" in seen
    assert "pruning [levels]" in seen
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") > 0


def test_a_loop_that_fails_takes_its_bar_along(watched):
    def doomed():
        with pytest.raises(ZeroDivisionError):
            [time.sleep(0.01 / (3 - item)) for item in progress.track(range(5), "doomed", 5)]

    seen = watched(doomed)
    assert "doomed" in seen
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") == 1


def test_a_pipe_gets_tables_of_a_fixed_width(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert console.out().width == console.PIPE_WIDTH
    console.out().print("x" * 100)
    assert capsys.readouterr().out == "x" * 100 + "\n"


def test_a_terminal_keeps_its_own_width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "97")
    with redirect_stdout(Screen()):
        assert console.out().width == 97


def test_no_colour_is_used_where_none_is_wanted(watched, monkeypatch):
    assert watched(lambda: console.complain("error[X] y")) == "\x1b[31merror[X] y\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert watched(lambda: console.complain("error[X] y")) == "error[X] y\n"
