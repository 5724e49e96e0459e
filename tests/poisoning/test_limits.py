"""A setting that does not keep to its limits is named, with what it is and what it should be."""

from __future__ import annotations

import pytest

from badrepair.errors import OptionError, require_option
from badrepair.poisoning.limits import require_at_least, require_class, require_share


def test_what_holds_passes():
    require_option("--grid", True, "anything", 3)
    require_share("--opacity", 0)
    require_share("--opacity", 1)
    require_at_least("--grid", 2, 2)
    require_class("--target", 0, 1)
    require_class("--target", 9, 10)


@pytest.mark.parametrize(
    ("refuse", "message"),
    [
        (lambda: require_option("--grid", False, "an even number", 3), "an even number, found 3"),
        (lambda: require_share("--rate", -0.1), r"a share in \[0, 1\], found -0.1"),
        (lambda: require_share("--rate", 1.5), r"a share in \[0, 1\], found 1.5"),
        (lambda: require_share("--rate", float("nan")), r"a share in \[0, 1\], found nan"),
        (lambda: require_at_least("--grid", 1, 2), "2 or more, found 1"),
        (lambda: require_at_least("--grid", float("nan"), 2), "2 or more, found nan"),
        (lambda: require_class("--target", 10, 10), "a class from 0 to 9, found 10"),
        (lambda: require_class("--target", -1, 10), "a class from 0 to 9, found -1"),
    ],
)
def test_what_does_not_is_refused_with_what_was_expected(refuse, message):
    with pytest.raises(OptionError, match=message) as caught:
        refuse()
    assert caught.value.code == "OptionInvalid"
    assert caught.value.where.startswith("--")
