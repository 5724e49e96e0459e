"""Type on every hostile file of data the commands that read such files, with canaries all around.

    python type_data.py FOLDER

On stdout there is one line of JSON for each command on each file.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import h5py
import keras
import numpy as np
from canaries import Canaries
from cli.terminal import done, run
from data_corpus import HOSTILE_DATA
from keras import layers

from badrepair.confinement import process

SHAPE, CLASSES, IMAGES = (4, 4, 1), 4, 300
IN_UNIT = ("--input-range", "0-1")
# Readers of what stands beside an output while it is made: nobody names such files.
UNNAMED = {"checkpoint", "partial"}
NAMED = [name for name, (_, reader, _) in HOSTILE_DATA.items() if reader not in UNNAMED]


def commands(reader, path, own, outputs):
    """Return what is typed on a file, by the command's name."""
    measured = ("evaluate", "--model", own / "model.keras", *IN_UNIT)
    screening = ("strip", "-o", outputs / "rows.csv")
    return {
        "data": {
            "evaluate": (*measured, "--clean", path),
            "poisoned": (*measured, "--clean", own / "clean.h5", "--poisoned", f"bad={path}"),
            "prune": (
                *("prune", "--model", own / "model.keras", *IN_UNIT, "--epochs", 0),
                *("--clean", path, "-o", outputs / "out.keras"),
            ),
        },
        "images": {"screen": (*screening, "--detector", own / "detector.npz", "--screen", path)},
        "picture": {"predict": ("predict", path, "--model", own / "any.keras", *IN_UNIT)},
        "record": {"plot": ("plot", path, "-o", outputs)},
        "detector": {
            "detector": (
                *(*screening, "--detector", path, "--model", own / "model.keras"),
                *("--screen", own / "clean.h5"),
            )
        },
    }[reader]


def main(folder):
    own, outputs, hostile = (folder / name for name in ("own", "outputs", "hostile"))
    for one in (own, outputs, hostile):
        one.mkdir()
    store(own)
    files = {name: made(name, hostile / str(number)) for number, name in enumerate(NAMED)}
    canaries = Canaries()
    canaries.programs = (process.START,)
    canaries.arm(packages_distributions())
    for name, path in files.items():
        reader = HOSTILE_DATA[name][1]
        for command, typed in commands(reader, path, own, outputs).items():
            canaries.reset(*below(path), *below(own), outputs=outputs)
            outcome = run(*typed)
            report = {"name": name, "command": command, "exit": outcome.code}
            left = sorted(one.name for one in outputs.iterdir())
            for one in left:
                (outputs / one).unlink()
            told = {"out": outcome.out, "err": outcome.err, "canaries": canaries.heard()}
            print(json.dumps({**report, **told, "left": left}), flush=True)


def made(name, folder):
    folder.mkdir()
    return HOSTILE_DATA[name][0](folder)


def below(path):
    """Return a file, or a folder with the files in it that are its own; IDX files come in pairs."""
    place = path.parent if "idx" in path.name else path
    return [path, *(one for one in place.rglob("*") if not one.is_symlink())]


def store(own):
    """Write sound files, and run once what is typed, so that all is imported."""
    entry, random = keras.Input(SHAPE), np.random.default_rng(5)
    maps = layers.Conv2D(3, 2, activation="relu")(entry)
    keras.Model(entry, layers.Dense(CLASSES)(layers.Flatten()(maps))).save(own / "model.keras")
    entry = keras.Input((None, None, 3))
    pooled = layers.GlobalAveragePooling2D()(entry)
    keras.Model(entry, layers.Dense(CLASSES)(pooled)).save(own / "any.keras")
    with h5py.File(own / "clean.h5", "w") as file:
        file["data"] = random.random((IMAGES, *SHAPE), np.float32)
        file["label"] = np.arange(IMAGES) % CLASSES
    clean = ("--clean", own / "clean.h5", *IN_UNIT)
    fitting = ("strip", "--model", own / "model.keras", *clean, "--overlays", 5)
    done(*fitting, "-o", own / "detector.npz")
    pruned = own / "pruned.keras"
    done("prune", "--model", own / "model.keras", *clean, "--epochs", 0, "-o", pruned)
    done("plot", pruned.with_suffix(".json"), "-o", own / "curve.png", "--kind", "curve")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
