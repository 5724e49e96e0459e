"""Keep libraries from talking on stderr; what our users have to know is said by the command."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def stderr_off() -> Iterator[None]:
    """Turn off what anybody in this process writes to stderr, C++ included."""
    if sys.stderr is None:  # closed by the caller
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
