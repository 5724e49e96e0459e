"""Cases of the small network with a backdoor, for repairs."""

from __future__ import annotations

from functools import cache

from backdoored import blobs, network

from badrepair import registry
from badrepair.mending.case import Case
from badrepair.mending.deadline import Deadline


def case_of(model=None, clean=None):
    return Case.of(
        network() if model is None else model,
        blobs(100, 4) if clean is None else clean,
        held_out=0.2,
        deadline=Deadline(minutes=10),
        batch_size=100,
        seed=0,
    )


@cache
def repaired(name, **settings):
    """Return what a repair makes of the small network with 100 clean images."""
    return registry.make("defenses", name, settings).repair(network(), blobs(100, 4))
