"""Keep outputs for one run, from before the long work until all is written."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from badrepair import locking, writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@contextmanager
def claimed(paths: Sequence[Path], *, overwrite: bool, inputs: Sequence[Path]) -> Iterator[None]:
    """Keep outputs for this run, once they are found writable.

    What killed runs left of them is removed.

    Raises:
        OptionError: One is an input as well.
        OutputError: One cannot be written.
        LockedError: Another run writes one.
    """

    def check() -> None:
        for path in paths:
            writing.check_writable(path, overwrite=overwrite, inputs=inputs)

    check()
    with locking.locked(paths):
        check()  # again: another run may have ended meanwhile
        for path in paths:
            writing.remove_leftovers(path)
        yield
