"""The classes of a network that a backdoor might aim at: all, or those that attract most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from badrepair.mending.case import Case
    from badrepair.types import Labels

# So many classes are suspected at most.
MOST = 12


def shortlist(case: Case) -> Labels:
    """Return the suspected classes in increasing order."""
    return np.arange(case.classes)[:MOST]


def sources(case: Case) -> Labels:
    """Return the classes that are suspected to have triggers of their own; none of very many."""
    found = np.unique(case.tuning.labels)
    return found if len(found) <= MOST else found[:0]
