"""Type every command on hostile model files with canaries all around, and tell what came of each.

    python type_all.py FOLDER < files.json

The input is a list of (name, path); on stdout there is one line of JSON for each command on each.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import h5py
import numpy as np
from canaries import Canaries
from cli.terminal import run
from honest import SHAPE, as_keras
from PIL import Image

from badrepair.confinement import process

IN_UNIT = ("--input-range", "0-1")
IMAGES = 60


def commands(model, data, outputs):
    """Return what is typed on a model file, by the command's name."""
    clean = ("--clean", data / "clean.h5", *IN_UNIT)
    picture = ("predict", data / "picture.png", *IN_UNIT)
    return {
        "scan": ("scan", model),
        "evaluate": ("evaluate", "--model", model, *clean),
        "baseline": (
            "evaluate",
            "--model",
            data / "model.keras",
            "--baseline",
            f"bad={model}",
            *clean,
        ),
        "arch": ("evaluate", "--model", data / "model.keras", "--arch", model, *clean),
        "prune": ("prune", "--model", model, *clean, "-o", outputs / "out.keras"),
        "strip": ("strip", "--model", model, *clean, "--overlays", 5, "-o", outputs / "out.npz"),
        "predict": (*picture, "--model", model),
        "weights": (*picture, "--model", data / "model.keras", "--weights", model),
    }


def main(folder):
    data, outputs = folder / "data", folder / "outputs"
    for one in (data, outputs):
        one.mkdir()
    own = [as_keras(data), *stored(data)]
    run(*commands(own[0], data, outputs)["evaluate"])  # so that all is imported
    canaries = Canaries()
    canaries.programs = (process.START,)
    canaries.arm(packages_distributions())
    for name, path in json.load(sys.stdin):
        for command, typed in commands(path, data, outputs).items():
            canaries.reset(path, *own, outputs=outputs)
            outcome = run(*typed)
            report = {"name": name, "command": command, "exit": outcome.code}
            told = {"out": outcome.out, "err": outcome.err, "canaries": canaries.heard()}
            left = sorted(outputs.iterdir())
            for one in left:
                one.unlink()
            names = [one.name for one in left]
            print(json.dumps({**report, **told, "left": names}), flush=True)


def stored(data):
    """Write images that the honest network takes, and return their files."""
    random = np.random.default_rng(5)
    clean, picture = data / "clean.h5", data / "picture.png"
    with h5py.File(clean, "w") as file:
        file["data"] = random.random((IMAGES, *SHAPE), np.float32)
        file["label"] = np.arange(IMAGES) % 3
    Image.new("L", SHAPE[:2]).save(picture)
    return [clean, picture]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
