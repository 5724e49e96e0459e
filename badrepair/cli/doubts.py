"""Say on stderr what makes a result doubtful that a user would not see in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from badrepair.cli import console
from badrepair.cli.inputs import named_paths
from badrepair.verdict import WORKING
from badrepair.words import counted, percent

if TYPE_CHECKING:
    from badrepair.cli.options import DefenseOptions
    from badrepair.types import Dataset

FEW_IMAGES = 50
UNEVEN = 10
MOST_NAMED = 5


def of_accuracy(accuracy: float) -> None:
    """Doubt a model that is bad before its repair.

    Args:
        accuracy: On clean images, in [0, 1].
    """
    if accuracy < WORKING:
        _warn(
            f"the model answers only {percent(accuracy)} of the clean images right; check the"
            " labels, --input-range and --color"
        )


def of_held_out(images: int) -> None:
    """Doubt a choice that few images make.

    Args:
        images: Number of clean images that choose how much to prune.
    """
    if images < FEW_IMAGES:
        _warn(
            f"how much to prune is chosen by {counted(images, 'held-out image')} only; one of them"
            f" is {percent(1 / images)} of clean accuracy; give more clean images"
        )


def of_files(options: DefenseOptions) -> None:
    """Doubt a file that is given for two things."""
    if options.tests_on_clean:
        _warn(f"{options.test} is given as --test and holds the images of --clean")
    clean = {path.resolve() for path in (options.clean, options.test) if path is not None}
    for name, path in named_paths(options.poisoned, "--poisoned"):
        if path.resolve() in clean:
            _warn(f"{path} is given as clean and as poisoned ({name})")


def of_classes(clean: Dataset, classes: int) -> None:
    """Doubt clean images that leave classes out, or hold many of one and few of another."""
    counts = np.bincount(clean.labels, minlength=classes)
    missing = np.flatnonzero(counts == 0)
    if len(missing):
        named = ", ".join(map(str, missing[:MOST_NAMED]))
        more = ", …" if len(missing) > MOST_NAMED else ""
        _warn(
            f"{len(missing)} of {classes} classes have no clean image ({named}{more}); ranking"
            " and fine-tuning know nothing of them, and the model may forget them"
        )
    few, many = counts[counts > 0].min(), counts.max()
    if many >= UNEVEN * few:
        _warn(
            f"the classes differ in their number of clean images, from {few} (class"
            f" {int(np.argmax(counts == few))}) to {many} (class {int(np.argmax(counts))});"
            " accuracy and fine-tuning follow the large ones"
        )


def _warn(what: str) -> None:
    console.note(f"warning: {what}")
