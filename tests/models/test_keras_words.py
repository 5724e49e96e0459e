"""What Keras says over several coloured lines is one plain line."""

from __future__ import annotations

from badrepair.models.keras_words import in_one_line


def test_colours_and_breaks_go_and_what_else_does_not_print_is_escaped():
    error = ValueError("Exception in Add.call().\n\n\x1b[1mbad \x1b]0;evil\x07 name\x1b[0m\n")
    assert in_one_line(error) == r"Exception in Add.call(). bad \x1b]0;evil\x07 name"


def test_three_hundred_characters_are_enough():
    assert len(in_one_line(ValueError("a" * 5000))) == 300


def test_the_list_of_tensors_at_the_end_is_left_out():
    words = "Input 0 is wrong.\n\nArguments received by Sequential.call():\n  • training=False"
    assert in_one_line(ValueError(words)) == "Input 0 is wrong."
