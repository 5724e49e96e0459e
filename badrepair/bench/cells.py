"""What a worker of the bench does: make a network with its backdoor, and defend and measure it.

A defence is made from the network and the defender's clean images. Only then are the test and the
poisoned files opened, and nothing that they hold goes back into the defence.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from badrepair import planted_folder, records, registry, writing
from badrepair.bench.kinds import kind_of
from badrepair.bench.made import Guarded, Repaired, Untouched, digest
from badrepair.blaming import blaming, place_of
from badrepair.errors import OptionError
from badrepair.models.load import load_model
from badrepair.opening import in_range, stored_data
from badrepair.planted_names import CARD, CLEAN, MODEL, TEST
from badrepair.planting import Recipe, plant
from badrepair.settings import with_settings
from badrepair.starting import start_tensorflow
from badrepair.types import RepairResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from badrepair.types import Dataset

_WORD = 2**32


def start() -> None:
    """Get a worker ready."""
    start_tensorflow()


def make_net(recipe: Mapping[str, Any], folder: Path) -> None:
    """Put the network of a recipe, its data and its card into a folder.

    Args:
        recipe: What `Recipe.to_json` returned.
        folder: Is there, and empty.
    """
    _begin_anew(recipe["seed"])
    _, files = planted_folder.contents(plant(Recipe.from_json(recipe)), folder)
    writing.write_together(files, overwrite=False)


def measure(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return what a defence makes of a network, as the plain values of a line.

    Args:
        job: `defense`: its `method`, `settings` and `source`; and the `seed`.
        folder: What `make_net` made.

    Raises:
        OptionError: MethodInvalid: the method has changed the network that it was given, or
            returns something else than it should.
    """
    _begin_anew(job["seed"])
    model = load_model(folder / MODEL)
    given = digest(*model.get_weights())
    made = _defended(job, model, _data(folder / CLEAN, model))
    if digest(*model.get_weights()) != given:
        raise _invalid(job, "a copy of the network to be changed, found the network itself changed")
    return {**made.to_json(), **made.measured(model, *_test_data(folder, model))}


def _begin_anew(seed: int) -> None:
    """Let nothing that this process did before matter to a method that draws from the world."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed % _WORD)


def _defended(
    job: Mapping[str, Any], model: keras.Model, clean: Dataset
) -> Untouched | Repaired | Guarded:
    """Return what the defence makes, from the network and clean images alone."""
    defense = job["defense"]
    if defense["method"] == "none":
        return Untouched()
    plug_in = registry.load("defenses", defense["method"], defense["source"])
    made = with_settings(plug_in, {**defense["settings"], "seed": job["seed"]})
    if kind_of(plug_in) == "repair":
        with blaming(place_of(plug_in)):
            result = made.repair(model, clean)
        if not isinstance(result, RepairResult):
            raise _invalid(job, f"a RepairResult of repair, found {type(result).__name__}")
        return Repaired(result=result)
    with blaming(place_of(plug_in)):
        detector = made.fit(model, clean)
    lacking = [name for name in ("name", "score", "threshold") if not hasattr(detector, name)]
    if lacking:
        raise _invalid(job, f"a detector of fit, found {type(detector).__name__} without {lacking}")
    return Guarded(detector=detector, clean=clean)


def _invalid(job: Mapping[str, Any], expected: str) -> OptionError:
    return OptionError("MethodInvalid", job["defense"]["method"], f"expected {expected}")


def _test_data(folder: Path, model: keras.Model) -> tuple[Dataset, tuple[Dataset, ...]]:
    """Return the clean test images, and those of every trigger."""
    card = records.read_record(folder / CARD)
    poisoned = tuple(
        _data(file.path, model, name=file.trigger)
        for file in planted_folder.poisoned_files(card, folder)
    )
    return _data(folder / TEST, model), poisoned


def _data(path: Path, model: keras.Model, name: str | None = None) -> Dataset:
    """Return a file of images in 0..255, in memory and in 0..1."""
    stored = in_range(stored_data(path, model, name=name), "0-1")
    return replace(stored, images=np.asarray(stored.images[:], np.float32))
