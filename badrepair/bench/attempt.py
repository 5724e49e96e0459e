"""Carry out one task of the bench in a worker: what comes of it, or what went wrong, and the cost.

A task that fails is a result as well. So nothing is raised here.
"""

from __future__ import annotations

import os
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


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """How a task ended.

    Args:
        value: What the function returned (Any: that is its own); None if it failed.
        code: What went wrong, in one word; None if nothing did.
        message: The same in one line.
        seconds: Processor time that it took, with that of processes that it started.
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


def _attempt(function: Callable[[Path], Any], parcel: parcels.Parcel) -> Attempt:
    started = _processor_seconds()
    forget_peak()
    value, code, message = None, None, ""
    with parcels.opened(parcel) as folder:
        try:
            value = function(folder)
        # Whatever it is, the other tasks go on.
        except Exception as error:
            code, message = _code(error), _message(error, folder)
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


def _code(error: Exception) -> str:
    return error.code if isinstance(error, BadrepairError) else type(error).__name__


def _message(error: Exception, folder: Path) -> str:
    """Return what an error says, the same in every worker: its folder has a name of its own."""
    words = str(error).replace(f"{folder}/", "")
    if isinstance(error, BadrepairError):
        words = words.removeprefix(f"error[{error.code}] ")
    return in_one_line(Exception(words)) or "no reason given"
