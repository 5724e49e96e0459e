"""What the settings of an attack must keep to, each fault in the same words."""

from __future__ import annotations

from badrepair.errors import require_option


def require_share(option: str, value: float) -> None:
    """Refuse a setting that is no share in [0, 1]."""
    require_option(option, 0 <= value <= 1, "a share in [0, 1]", value)


def require_at_least(option: str, value: float, least: float) -> None:
    """Refuse a setting below the least."""
    require_option(option, value >= least, f"{least} or more", value)


def require_class(option: str, label: int, classes: int) -> None:
    """Refuse a label that is none of the problem's, which has `classes` of them."""
    require_option(option, 0 <= label < classes, f"a class from 0 to {classes - 1}", label)
