"""Find out how many images a call should take on this machine, once, and remember it.

The answer is kept in a file of the user's cache, so that the same network is run in calls of one
size ever after: sums in calls of another size may differ in their last digit.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from badrepair.errors import BadrepairError
from badrepair.writing import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIZES = (25, 50, 100, 200, 400)
# A larger call must be so much quicker an image: it takes more memory, too.
WORTH_IT = 0.95
ROUNDS = 5
# A call that takes so long has no overhead to speak of.
LONG_SECONDS = 0.5
MOST_BYTES = 2**20


def best_call_size(what: str, run: Callable[[int], object], *, most: int = SIZES[-1]) -> int:
    """Return how many images a call is quickest with, from memory or by trying.

    Args:
        what: Names the work: the same words on the same machine have the same answer.
        run: Runs one call with so many images.
        most: What the memory has room for.
    """
    sizes = [size for size in SIZES if size <= most]
    if not sizes:
        return most
    key = hashlib.sha256(f"{what}|{_machine()}".encode()).hexdigest()[:32]
    known = _remembered()
    if known.get(key) in sizes:
        return known[key]
    size = _quickest(run, sizes)
    _remember({**known, key: size})
    return size


def _quickest(run: Callable[[int], object], possible: Sequence[int]) -> int:
    """Return the size that takes the least an image; a larger one must be worth its memory.

    The sizes take turns, and the best time of each counts, so that other work on the machine has
    to last to mislead.
    """
    sizes = _affordable(run, possible)
    turns = [[_seconds(run, size) for size in sizes] for _ in range(ROUNDS)]
    least = {size: min(taken) / size for size, *taken in zip(sizes, *turns, strict=True)}
    best = sizes[0]
    for size in sizes[1:]:
        if least[size] <= WORTH_IT * least[best]:
            best = size
    return best


def _affordable(run: Callable[[int], object], sizes: Sequence[int]) -> Sequence[int]:
    """Return the sizes up to the first that takes long; each has then run before."""
    for number, size in enumerate(sizes, start=1):
        run(size)
        if _seconds(run, size) > LONG_SECONDS:
            return sizes[:number]
    return sizes


def _seconds(run: Callable[[int], object], size: int) -> float:
    start = time.perf_counter()
    run(size)
    return time.perf_counter() - start


def _machine() -> str:
    return f"{platform.node()}|{platform.machine()}|{os.cpu_count()}"


def _path() -> Path | None:
    folder = os.environ.get("XDG_CACHE_HOME")
    with suppress(RuntimeError):  # somebody without a home
        return Path(folder or Path.home() / ".cache") / "badrepair" / "call-sizes.json"
    return None


def _remembered() -> dict[str, int]:
    path = _path()
    with suppress(OSError, ValueError, RecursionError):
        if path is not None and path.stat().st_size <= MOST_BYTES:
            found = json.loads(path.read_bytes())
            if isinstance(found, dict):
                return {key: size for key, size in found.items() if isinstance(size, int)}
    return {}


def _remember(known: dict[str, int]) -> None:
    """Keep what was found, if the cache can be written."""
    path = _path()
    if path is None:
        return
    with suppress(OSError, BadrepairError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(known).encode(), overwrite=True)
