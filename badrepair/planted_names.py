"""How the files of a network with its backdoor are called. Nothing heavy is imported here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MODEL, CLEAN, TEST, CARD = "model.keras", "clean.h5", "test.h5", "card.json"
PAIRS = "pairs.png"
POISONED = re.compile(r"poisoned(-[\w-]+)?\.h5")


def poisoned_names(triggers: Sequence[str]) -> tuple[str, ...]:
    """Return a name for the images with each trigger, all different whatever these are called."""
    if len(triggers) == 1:
        return ("poisoned.h5",)
    plain = (re.sub(r"[^\w-]", "-", trigger) for trigger in triggers)
    return tuple(f"poisoned-{number}-{name}.h5" for number, name in enumerate(plain, 1))
