"""Names of what stands beside an output while it is made.

Standard library only.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Most file systems allow so many bytes.
_LONGEST, _KEPT_CHARACTERS = 255, 40


def companion(output: Path, pattern: str) -> Path:
    """Return the path of a neighbour whose name tells of the output's.

    Args:
        output: Its name may be as long as names can be; then a part and a digest stand for it.
        pattern: With `{}` for the name, such as `{}.part`.
    """
    name = output.name
    if len(os.fsencode(pattern.format(name))) > _LONGEST:
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()
        name = f"{name[:_KEPT_CHARACTERS]}-{digest[:16]}"
    return output.parent / pattern.format(name)
