"""How the files of a network with its backdoor are called. Nothing heavy is imported here."""

from __future__ import annotations

import re

MODEL, CLEAN, TEST, CARD = "model.keras", "clean.h5", "test.h5", "card.json"
PAIRS = "pairs.png"


def poisoned_name(trigger: str, triggers: int) -> str:
    """Return the name of the file with the images that carry a trigger, one of so many."""
    plain = re.sub(r"[^\w-]", "-", trigger)
    return "poisoned.h5" if triggers == 1 else f"poisoned-{plain}.h5"
