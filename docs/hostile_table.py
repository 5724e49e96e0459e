"""Open a file of each class of attack with Keras itself and with badrepair, and write the table.

    python docs/hostile_table.py

It writes `measured/hostile-files.md`; a test measures again and compares.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

DOCS = Path(__file__).parent
HOSTILE = DOCS.parent / "tests" / "hostile"
PLACES = (HOSTILE, HOSTILE.parent, HOSTILE.parents[1])
PAGE = DOCS / "measured" / "hostile-files.md"
# What the table calls an attack, and its file in the corpus.
ATTACKS = {
    "Bytecode in a `Lambda`": "lambda marshalled (keras)",
    "Bytecode in a `Lambda`, `.h5`": "lambda marshalled (h5)",
    "Bytecode in a `Lambda` as Keras 2 wrote it": "old lambda",
    "Class of any module": "module subprocess",
    "`Lambda` around a download": "lambda around a download",
    "`Lambda` that lifts safe mode": "lambda lifting the safe mode",
    "Public function with arguments of its choice": "lambda called with raw arguments (keras)",
    "The same in `.h5`": "lambda called with raw arguments (h5)",
    "Public function that writes a picture": "lambda drawing a picture",
    "Public function that opens a file": "lambda opening another file",
    "Public function that downloads weights": "lambda asking for weights",
    "Operation with a function, that nothing reads": "dead operation Switch",
    "Class under somebody's registered name": "registered by somebody (keras)",
    "Module `keras_cv` beside the file": "module keras_cv",
    "Vocabulary in another file": "StringLookup reading a file",
    "SavedModel by its path": "SavedModel by path",
    "Pickled torch module": "torch module",
    "`Lambda` in the training configuration": "gadget in the compile config",
    "HDF5: external link": "external link (h5)",
    "HDF5: values in another file": "values in another file (h5)",
    "HDF5: virtual array": "virtual array (h5)",
    "HDF5: 1 GiB that is not stored": "fill value of 1 GiB (h5)",
    "Layer of half a GiB": "units for half a GiB",
    "Models that call models: a thousand million layers": "calls of calls of calls",
    "One number for every pixel of 144 megapixels": "vast normalisation",
    "Archive: description of 400 MiB": "description of 400 MiB of spaces",
    "Archive: 400 MiB of assets": "bomb in the assets",
    "Archive: member that leaves its folder": "member that goes up",
    "Archive behind an HDF5 file": "HDF5 in front of an archive",
    "One key twice in the description": "key that stands twice (keras)",
    "Name that colours the terminal": "name that colours the terminal",
    "Weights that are NaN": "weight that is no number (keras)",
    "Pickle": "pickle named keras",
}


def page() -> str:
    """Return the table, measured now."""
    rows = [f"| {title} | {told['keras']} | {told['badrepair']} |" for title, told in measured()]
    head = f"| attack | Keras {version('keras')}, `load_model` | badrepair |\n| --- | --- | --- |\n"
    return head + "\n".join(rows) + "\n"


def measured() -> list[tuple[str, dict[str, str]]]:
    """Return what Keras and badrepair did with each attack."""
    sys.path[:0] = map(str, PLACES)
    from corpus import HOSTILE as MAKERS
    from corpus import LOADED, make

    names = {title: _full(name, MAKERS) for title, name in ATTACKS.items()}
    with tempfile.TemporaryDirectory() as folder:
        paths = make(names.values(), Path(folder))
        done = subprocess.run(  # noqa: S603 - our own script
            [sys.executable, str(HOSTILE / "side_by_side.py")],
            input=json.dumps([str(paths[name]) for name in names.values()]),
            env=_environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for name, told in zip(names.values(), lines, strict=True):
        code = MAKERS[name][1]
        if code in LOADED and told["badrepair"] == "loaded it":
            told["badrepair"] = f"never reads it; `scan` tells: `{code}`"
    return list(zip(ATTACKS, lines, strict=True))


def _environment() -> dict[str, str]:
    """Return the environment, with Keras's own home: it downloads nothing without one."""
    mine = {name: value for name, value in os.environ.items() if name != "KERAS_HOME"}
    return {**mine, "PYTHONPATH": ":".join(map(str, PLACES))}


def _full(name: str, known: dict[str, object]) -> str:
    """Return the name of a file in the corpus, with the format if it comes in one only."""
    return next(one for one in known if one in (name, f"{name} (keras)", f"{name} (h5)"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
