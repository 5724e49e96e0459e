"""Plant a backdoor: poison a data set, train a network on it, and measure what came of it.

This is what `badrepair attack` does once and `badrepair bench` for every network of its grid. The
same recipe gives the same network.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence  # noqa: TC003 - the fields say it
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from badrepair import datasets, own_attacks, registry
from badrepair.data import ranges
from badrepair.errors import DataError, ModelError, require_option
from badrepair.evaluation import evaluate
from badrepair.models import architectures
from badrepair.models.judged import Training, train_judged
from badrepair.models.seeded import seeded
from badrepair.types import Dataset, stratified_order

if TYPE_CHECKING:
    import keras

    from badrepair.datasets import Source
    from badrepair.models.tuning import Tuned
    from badrepair.poisoning import Backdoor
    from badrepair.types import Report

TRAINING = Training(epochs=10, patience=3, learning_rate=2e-3, tuning_batch=64, schedule="cosine")
# Of the attacker's images, those that only choose the epoch; they stay clean.
VALIDATION = 0.05
# What the training of the network is called in bars and sentences.
TRAINED = "training"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides about a network with a backdoor.

    Args:
        data: Which data set, as `badrepair.datasets.load` takes it.
        architecture: A network's name; or a Keras file, whose network is trained on.
        attack: Name of the attack, or the user's own file.
        settings: Of the attack, plain values.
        source: Text of that file, where it is the user's own.
        poison_rate: Share of the training images that get the trigger, in [0, 1].
        training: How the network is trained.
        training_images: How many images the attacker trains on; None takes all.
        clean_images: How many images of the test part the defender holds.
        test_images: How many others measure; None takes all.
        seed: Fixes all: which images, the attack, the first weights, and training.
    """

    data: str = "digits"
    architecture: str = "small-cnn"
    attack: str = "badnets"
    settings: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = None
    poison_rate: float = 0.1
    training: Training = TRAINING
    training_images: int | None = None
    clean_images: int = 500
    test_images: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        counts = {
            "--training-images": self.training_images,
            "--clean-images": self.clean_images,
            "--test-images": self.test_images,
        }
        for option, count in counts.items():
            require_option(option, count is None or count >= 1, "a value 1 or more", count)
        require_option(
            "--poison-rate", 0 <= self.poison_rate <= 1, "a value in [0, 1]", self.poison_rate
        )
        require_option("--seed", self.seed >= 0, "a value 0 or more", self.seed)

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Recipe:
        """Return the recipe that plain values describe."""
        return cls(**{**value, "training": Training(**value["training"])})


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A network with its backdoor, and the data to find it with.

    Args:
        recipe: What it was made by.
        model: The network; it takes images in 0..1.
        backdoor: The poisoned training set and the triggers.
        clean: What the defender holds: clean images in 0..255.
        test: Clean images to measure on, which nobody has seen.
        poisoned: The same with each trigger, those that do not show the target anyway.
        report: How the network answers `test` and `poisoned`.
        tuned: How its training went.
    """

    recipe: Recipe
    model: keras.Model
    backdoor: Backdoor
    clean: Dataset
    test: Dataset
    poisoned: tuple[Dataset, ...]
    report: Report
    tuned: Tuned


def plant(recipe: Recipe) -> Planted:
    """Poison the data, train the network, and measure it.

    Raises:
        OptionError: A name or a setting that there is not.
        DataError: The data set is not to be had, or has too few images.
        ModelError: The network does not take the images, or its training diverged.
    """
    settings = {**recipe.settings, "poison_rate": recipe.poison_rate, "seed": recipe.seed}
    attack = registry.make("attacks", recipe.attack, settings, recipe.source)
    source = datasets.load(recipe.data)
    training, validation = _training_parts(source, recipe)
    clean, test = _defender_parts(source, recipe)
    model = _untrained(recipe, source)
    backdoor = own_attacks.poisoned(attack, training, source.classes)
    poisoned = tuple(trigger.poisoned(test) for trigger in backdoor.triggers)
    _require_something(recipe, backdoor, poisoned)
    tuned = train_judged(
        model,
        in_unit_range(backdoor.training),
        in_unit_range(validation),
        recipe.training,
        seed=recipe.seed,
        label=TRAINED,
    )
    if tuned.broke_down:
        raise ModelError("TrainingDiverged", recipe.architecture, tuned.why(0.0, TRAINED))
    report = evaluate(model, in_unit_range(test), [in_unit_range(data) for data in poisoned])
    return Planted(
        recipe=recipe,
        model=model,
        backdoor=backdoor,
        clean=clean,
        test=test,
        poisoned=poisoned,
        report=report,
        tuned=tuned,
    )


def files_of(recipe: Recipe) -> list[Path]:
    """Return the files and folders that a recipe names, each once."""
    _, _, place = recipe.data.partition(":")
    # A comma may be part of a name.
    places = [place] if os.path.exists(place) else place.split(",")
    listed = [one for value in recipe.settings.values() for one in _several(value)]
    texts = (one for one in (recipe.architecture, *listed) if isinstance(one, str))
    named = [*places, *(text for text in texts if Path(text).suffix)]
    return [Path(name) for name in dict.fromkeys(named) if name and os.path.exists(name)]


def _several(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else [value]


def in_unit_range(dataset: Dataset) -> Dataset:
    """Return images of 0..255 in 0..1, as the networks here take them."""
    return ranges.scaled(dataset, "0-255", "0-1")


def _training_parts(source: Source, recipe: Recipe) -> tuple[Dataset, Dataset]:
    """Return the attacker's images: those to poison and train on, and those that choose."""
    wanted = recipe.training_images or len(source.training)
    kept = _first(source.training, wanted, recipe.seed, "--training-images")
    training, validation = kept.split(1 - VALIDATION, seed=recipe.seed)
    if not len(training) or not len(validation):
        problem = f"expected images to train on and others to choose with, found {len(kept)}"
        raise DataError("TooFewImages", source.name, problem, "give more training images")
    return training, validation


def _defender_parts(source: Source, recipe: Recipe) -> tuple[Dataset, Dataset]:
    """Return the defender's clean images, and others that only measure."""
    order = stratified_order(source.test.labels, recipe.seed)
    clean, rest = order[: recipe.clean_images], order[recipe.clean_images :]
    measuring = rest[: recipe.test_images]
    if not len(measuring) or len(measuring) < (recipe.test_images or 0):
        wanted = f"{recipe.clean_images} test images for the defender and {recipe.test_images or 1}"
        problem = f"expected {wanted} or more to measure on, found {len(order)} in all"
        hint = "give a smaller --clean-images or --test-images"
        raise DataError("TooFewImages", source.name, problem, hint)
    return source.test.take(np.sort(clean)), source.test.take(np.sort(measuring))


def _first(dataset: Dataset, count: int, seed: int, option: str) -> Dataset:
    if count > len(dataset):
        problem = f"expected {count} images, {dataset.name} has {len(dataset)}"
        raise DataError("TooFewImages", option, problem)
    return dataset.take(np.sort(stratified_order(dataset.labels, seed)[:count]))


def _require_something(recipe: Recipe, backdoor: Backdoor, poisoned: Sequence[Dataset]) -> None:
    """Refuse an attack that poisons nothing, or a trigger that no test image is for."""
    if recipe.poison_rate and backdoor.triggers and not len(backdoor.poisoned):
        problem = f"expected one poisoned image or more, {recipe.poison_rate} of"
        problem += f" {len(backdoor.training)} training images is none"
        raise DataError("TooFewImages", "--poison-rate", problem)
    for data in poisoned:
        if not len(data):
            problem = f"expected test images that trigger {data.name} is for, found none"
            raise DataError("TooFewImages", recipe.data, problem, "give more --test-images")


def _untrained(recipe: Recipe, source: Source) -> keras.Model:
    """Return the network that training begins with."""
    shape = tuple(source.training.images.shape[1:])
    model = (
        _built(recipe, shape, source.classes)
        if recipe.architecture in architectures.names()
        else _from_file(Path(recipe.architecture))
    )
    takes, answers = tuple(model.input_shape[1:]), int(model.output_shape[-1])
    fits = len(takes) == len(shape) and all(
        a in (None, b) for a, b in zip(takes, shape, strict=True)
    )
    if not fits or answers != source.classes:
        problem = (
            f"expected a network for images of {shape} and {source.classes} classes, found one"
            f" for {takes} and {answers}"
        )
        raise ModelError("ShapeMismatch", recipe.architecture, problem)
    return model


def _built(recipe: Recipe, shape: tuple[int, ...], classes: int) -> keras.Model:
    try:
        with seeded(recipe.seed):
            return architectures.get(recipe.architecture).build(shape, classes)
    except ValueError as error:  # so Keras says that nothing is left of the image
        problem = f"expected larger images than {shape}: its layers leave nothing of them"
        raise ModelError("ShapeMismatch", recipe.architecture, problem) from error


def _from_file(path: Path) -> keras.Model:
    from badrepair.models.load import load_model

    if not path.suffix:
        known = ", ".join(architectures.names())
        raise ModelError("Unknown", path, f"expected a Keras file or one of {known}")
    return load_model(path)
