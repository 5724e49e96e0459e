"""What Keras says of a fault, in our form."""

from __future__ import annotations

import re

from badrepair.words import printable

MOST = 300
# Keras ends many an error with a list of tensors.
_ARGUMENTS = "Arguments received by"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def in_one_line(error: Exception) -> str:
    """Return the words of an error without colours and breaks; a file's words may be in them."""
    words = " ".join(_COLOUR.sub("", str(error)).partition(_ARGUMENTS)[0].split())
    return printable(words)[:MOST]
