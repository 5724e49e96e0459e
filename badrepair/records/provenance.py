"""Say what was run, on which files, with which versions: what every record begins with."""

from __future__ import annotations

import hashlib
import os
import platform
import resource
import sys
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

from badrepair import files
from badrepair.folders import files_below
from badrepair.records.file import SCHEMA, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PACKAGES = ("badrepair", "tensorflow", "keras", "numpy", "h5py")


def provenance(
    command: str,
    arguments: Sequence[str],
    options: Mapping[str, Any],
    seed: int,
    inputs: Sequence[Path],
    started: float,
) -> dict[str, Any]:
    """Return the head of a record.

    Args:
        command: The verb, such as `prune`.
        arguments: What was typed after `badrepair`.
        options: Every option's value, the defaults too.
        seed: What all randomness came from.
        inputs: Files and folders that were read.
        started: `time.monotonic()` when the command began.
    """
    return {
        "schema": SCHEMA,
        "command": command,
        "arguments": list(arguments),
        "options": to_json(options),
        "seed": seed,
        "versions": versions(),
        "inputs": [identity(path) for path in inputs],
        "seconds": round(time.monotonic() - started, 3),
        "peak_memory_mb": _peak_memory_mb(),
    }


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that results depend on."""
    return {"python": platform.python_version(), **{p: _version(p) for p in PACKAGES}}


def identity(path: Path) -> dict[str, Any]:
    """Return the path, the SHA-256 and the size of a file, or of a folder with all its files.

    A folder's digest is that of its files' relative names and digests, in the order of names.
    """
    if not os.path.isdir(path):
        digest = files.sha256(files.require_file(path))
        return {"path": str(path), "sha256": digest, "bytes": path.stat().st_size}
    whole, size = hashlib.sha256(), 0
    named = ((os.fsencode(file.relative_to(path).as_posix()), file) for file in files_below(path))
    for name, file in sorted(named):
        # A pipe or a device would never end.
        if file.is_file():
            whole.update(name + b"\0" + files.sha256(file).encode() + b"\n")
            size += file.stat().st_size
    return {"path": str(path), "sha256": whole.hexdigest(), "bytes": size}


def identity_of(path: Path, content: bytes) -> dict[str, Any]:
    """Return the same for what is going to be written to a path."""
    return {
        "path": str(path),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _peak_memory_mb() -> float:
    """Return the most memory this process ever held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # The unit differs between systems: bytes on macOS, KiB elsewhere.
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
