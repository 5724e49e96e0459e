"""Say that a fault is one of the user's own method, in one line that names its file.

A method of the user's own is a program: it can raise whatever it likes, or end the process.
"""

from __future__ import annotations

import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

from badrepair.errors import BadrepairError, OptionError
from badrepair.models.keras_words import in_one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

OUR_PACKAGE = __name__.partition(".")[0]
# What the modules that are made of the user's files are called.
FILE_MODULE = f"{OUR_PACKAGE}_method_"


def place_of(plug_in: type) -> str | None:
    """Return where a class of the user's own stands, such as `my_method.py` or `package:Class`.

    None for a class of badrepair.
    """
    module = plug_in.__module__
    if module.partition(".")[0] == OUR_PACKAGE:
        return None
    if module.startswith(FILE_MODULE) and module in sys.modules:
        return sys.modules[module].__file__
    return f"{module}:{plug_in.__qualname__}"


@contextmanager
def blaming(place: str | None, before: str = "") -> Iterator[None]:
    """Turn whatever is raised inside into a fault of the user's own method.

    What badrepair raises itself, a lack of memory, and a stop by the user pass as they are.

    Args:
        place: The method, as `place_of` tells it; None for one of badrepair: then all passes.
        before: What to say before the words of the exception.

    Raises:
        OptionError: MethodInvalid, with the type, the words and the line of the exception.
    """
    try:
        yield
    except (BadrepairError, MemoryError):
        raise
    except (Exception, SystemExit) as error:  # a program that ends itself would do so silently
        if place is None:
            raise
        raise OptionError("MethodInvalid", place, before + _told(error, place)) from error


def _told(error: BaseException, file: str) -> str:
    words = ": ".join(filter(None, [type(error).__name__, in_one_line(Exception(str(error)))]))
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    return f"{words} (line {lines[-1]})" if lines else words
