"""What the user trusts, as `--trust-model` takes it, and where trust is of no use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from badrepair.errors import OptionError
from badrepair.words import printable

if TYPE_CHECKING:
    from collections.abc import Collection

# Code of the file's own, which Keras's safe mode refuses whatever a file is trusted with.
NEVER_RUN = ("__lambda__", "TFSMLayer", "TorchModuleWrapper")
DIGEST = re.compile("sha256:[0-9a-f]{64}")


def digests(texts: Collection[str]) -> frozenset[str]:
    """Return what the user wrote, in small letters.

    Raises:
        OptionError: `BadDigest`.
    """
    found = frozenset(text.strip().lower() for text in texts)
    bad = sorted(text for text in found if not DIGEST.fullmatch(text))
    if bad:
        shown = printable(bad[0])[:100] or "nothing"
        problem = f"expected sha256: and 64 hexadecimal digits, found {shown}"
        hint = "the refusal of a file names its digest; sha256sum FILE too"
        raise OptionError("BadDigest", "--trust-model", problem, hint)
    return found


def holds_code(value: Any) -> bool:
    """Tell whether JSON (hence Any) holds code of the file's own, which no trust lets run."""
    if isinstance(value, list):
        return any(holds_code(item) for item in value)
    if not isinstance(value, dict):
        return False
    name, inside = value.get("class_name"), value.get("config")
    function = inside.get("function") if name == "Lambda" and isinstance(inside, dict) else None
    # Keras 2 stored a list that begins with the code itself.
    is_code = name in NEVER_RUN or isinstance(function, list)
    return is_code or any(holds_code(item) for item in value.values())
