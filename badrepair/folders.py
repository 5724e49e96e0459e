"""All files below a folder, as long as they can be counted.

Standard library only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from badrepair.errors import DataError, InputMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

# More than any data set has that is looked at file by file.
MOST_FILES = 2_000_000


def files_below(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder and in those below it, but for the folders; in no order.

    Links to folders are not followed.

    Raises:
        InputMissingError: A folder may not be looked into: nothing is passed over in silence.
        DataError: `LimitExceeded`: there are too many.
    """
    count = 0
    for place, _, names in os.walk(folder, onerror=_refuse):
        count += len(names)
        require_countable(count, folder)
        yield from (Path(place, name) for name in names)


def require_countable(count: int, folder: Path) -> None:
    """Raise DataError, `LimitExceeded`, if a folder holds more than is looked through."""
    if count > MOST_FILES:
        problem = f"expected at most {MOST_FILES:,} files in the folder, found more"
        raise DataError("LimitExceeded", folder, problem, "take it in parts")


def _refuse(error: OSError) -> NoReturn:
    where = Path(os.fsdecode(error.filename)).absolute()
    raise InputMissingError("InputUnreadable", where, f"{error.strerror}") from error
