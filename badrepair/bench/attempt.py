"""Carry out one task of the bench in a worker: what comes of it, or what went wrong, and the cost.

A task that fails is a result as well. So nothing is raised here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from badrepair.bench import parcels
from badrepair.bench.peak_memory import forget_peak, peak_mib
from badrepair.errors import BadrepairError
from badrepair.models.keras_words import in_one_line
from badrepair.records.file import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

# Longer words are cut before they are looked at: an error may hold an array.
MOST_READ = 10_000
# Where an object lies in memory differs from run to run.
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{8,}")
_STOPS = {
    SystemExit: "sys.exit() was called in it",
    KeyboardInterrupt: "KeyboardInterrupt was raised in it",
}


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """How a task ended.

    Args:
        value: What the function returned (Any: that is its own); None if it failed.
        code: What went wrong, in one word; None if nothing did.
        message: The same in one line.
        seconds: Processor time that it took, with that of processes that it started; time by the
            clock where its process was ended.
        peak_mib: The most memory that the worker held meanwhile; None where it is not known.
    """

    value: Any = None
    code: str | None = None
    message: str = ""
    seconds: float
    peak_mib: int | None


def train(
    make_net: Callable[[Mapping[str, Any], Path], object], recipe: Mapping[str, Any]
) -> Attempt:
    """Return the files of a new network, bytes by name.

    Args:
        make_net: Puts the network of a recipe into a folder.
        recipe: A plain mapping.
    """

    def made(folder: Path) -> dict[str, bytes]:
        make_net(recipe, folder)
        return parcels.files_of(folder)

    return _attempt(made, {})


def measure_cell(
    measure: Callable[[Mapping[str, Any], Path], Mapping[str, Any]],
    job: Mapping[str, Any],
    parcel: parcels.Parcel,
) -> Attempt:
    """Return what was measured of a network, as JSON knows it; NaN and infinities become null.

    Args:
        measure: Measures the network in a folder, as the job says.
        job: A plain mapping.
        parcel: The network.
    """
    return _attempt(lambda folder: to_json(measure(job, folder)), parcel)


def told(error: BaseException, folder: Path | None = None) -> tuple[str, str]:
    """Return a code for an error and its message in one line, the same in every worker.

    Args:
        error: Whatever was raised; it may be of a class that somebody else wrote.
        folder: Where the task worked; it has a name of its own.
    """
    try:
        return _code(error), _message(error, folder) or "no reason given"
    except Exception:
        return type(error).__name__, "its words cannot be read: they raise an error as well"


def _attempt(function: Callable[[Path], Any], parcel: parcels.Parcel) -> Attempt:
    started = _processor_seconds()
    forget_peak()
    value, code, message = None, None, ""
    folder = None
    try:
        with parcels.opened(parcel) as folder:
            value = function(folder)
    # Whatever it is, the other tasks go on.
    except BaseException as error:
        value, (code, message) = None, told(error, folder)
    return Attempt(
        value=value,
        code=code,
        message=message,
        seconds=_processor_seconds() - started,
        peak_mib=peak_mib(),
    )


def _processor_seconds() -> float:
    """Return what this process has computed so far; what else the machine does is no part of it."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _code(error: BaseException) -> str:
    return str(error.code) if isinstance(error, BadrepairError) else type(error).__name__


def _message(error: BaseException, folder: Path | None) -> str:
    words = str(error)[:MOST_READ]
    if folder is not None:
        words = words.replace(f"{folder}/", "")
    if isinstance(error, BadrepairError):
        words = words.removeprefix(f"error[{error.code}] ")
    stop = _STOPS.get(type(error), "")
    words = f"{stop}: {words}" if stop and words else stop or words
    return in_one_line(Exception(_ADDRESS.sub("0x...", words)))
