"""Build networks with weights that a seed decides, without touching the world's randomness."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let the networks that are built inside begin with the same weights for the same seed.

    Keras draws the seed of every initializer and of every random layer from Python's own
    generator, and all else from these seeds.
    """
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
