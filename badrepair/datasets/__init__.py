"""Data sets to train on, by a spec such as `fashion-mnist` or `hdf5:train.h5,test.h5`.

A new one is a file here with `load`, which takes what stands behind the colon.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from pathlib import Path

from badrepair.datasets.reading.source import Source
from badrepair.errors import OptionError

# What a file of the user's is, by the end of its name.
_KINDS = {".npz": "npz", ".h5": "hdf5", ".hdf5": "hdf5"}

__all__ = ["Source", "load", "names"]


def names() -> tuple[str, ...]:
    """Return the names of all data sets, such as "fashion-mnist", importing none.

    "folder", "hdf5" and "npz" are for files of the user's, which follow behind a colon.
    """
    modules = (module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return tuple(sorted(name.replace("_", "-") for name in modules))


def load(spec: str) -> Source:
    """Return the data set that a spec names.

    Args:
        spec: A name, or the kind of the user's own files with one or two of them: `npz:FILE`,
            `npz:TRAINING,TEST`. Of a single file a fifth is kept for testing, the same at every
            call.

    Raises:
        OptionError: There is no such data set, or no file is given to a kind of files.
        InputMissingError: Its files are not there, and could not be fetched.
        DataError: They cannot be used.
    """
    name, _, place = spec.partition(":")
    if name not in names():
        problem = f"expected one of the data sets {', '.join(names())}, found {name!r}"
        kind = _KINDS.get(Path(name).suffix, "folder" if os.path.isdir(name) else "hdf5")
        own = spec if os.path.exists(name) else "TRAINING,TEST"
        raise OptionError("Unknown", "--data", problem, f"own files: {kind}:{own}")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    found: Source = module.load(place)
    return found
