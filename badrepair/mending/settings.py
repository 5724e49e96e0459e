"""The settings that repairs share."""

from __future__ import annotations

from dataclasses import dataclass

from badrepair.errors import require_option
from badrepair.models import inference


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a repair may cost.

    Args:
        max_drop: Clean accuracy that we agree to lose on held-out clean images, in [0, 1].
        minutes: After so long, the best so far is taken.
        held_out: Share of the clean data that only chooses, in (0, 1).
        batch_size: Images a call where nothing is trained.
        seed: Fixes the held-out split and every random choice.
    """

    max_drop: float = 0.04
    minutes: float = 10.0
    held_out: float = 0.2
    batch_size: int = inference.BATCH
    seed: int = 0

    def __post_init__(self) -> None:
        require_option("--max-drop", 0 <= self.max_drop <= 1, "a value in [0, 1]", self.max_drop)
        require_option("--minutes", self.minutes > 0, "a value above 0", self.minutes)
        require_option("--held-out", 0 < self.held_out < 1, "a value in (0, 1)", self.held_out)
        require_option("--batch-size", self.batch_size >= 1, "a value 1 or more", self.batch_size)


def require_counts(settings: object, *names: str) -> None:
    """Refuse settings that are not 1 or more.

    Raises:
        OptionError: OptionInvalid.
    """
    for name in names:
        value = getattr(settings, name)
        require_option(f"--{name.replace('_', '-')}", value >= 1, "a value 1 or more", value)


def require_positive(settings: object, *names: str) -> None:
    """Refuse settings that are not above 0, or sequences that are empty or hold such a value.

    Raises:
        OptionError: OptionInvalid.
    """
    for name in names:
        value = getattr(settings, name)
        each = value if isinstance(value, tuple) else (value,)
        fine = bool(each) and all(0 < one < float("inf") for one in each)
        require_option(f"--{name.replace('_', '-')}", fine, "a value above 0", value)
