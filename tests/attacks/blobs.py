"""A small data set that every attack can poison, and what each attack makes of it."""

from __future__ import annotations

import dataclasses
import random
from functools import cache

import keras
import numpy as np

from badrepair import registry
from badrepair.types import Dataset

CLASSES = 4
SHAPE = (16, 16, 1)
# As an attack has them: those that train a network of their own train it hardly.
SMALL = {
    "surrogate_epochs": 1,
    "pattern_epochs": 1,
    "mask_epochs": 1,
    "steps": 2,
    "images": 40,
    "batch_size": 20,
}
NAMES = registry.names("attacks")


@cache
def data(shape=SHAPE, n=80):
    """Return images of a bright blob on a rough ground; its corner is the class."""
    noise = np.random.default_rng(7).integers(60, 100, (n, *shape))
    labels = np.arange(n) % CLASSES
    height, width = shape[0] // 2, shape[1] // 2
    for image, label in zip(noise, labels, strict=True):
        row, column = label // 2 * height, label % 2 * width
        image[row : row + height, column : column + width] += 80
    images = noise.astype(np.uint8)
    for array in (images, labels):
        array.setflags(write=False)
    return Dataset(images=images, labels=labels, name="blobs")


def made(name, **settings):
    """Return the attack with small settings, as far as it has them."""
    kind = registry.load("attacks", name)
    known = {field.name for field in dataclasses.fields(kind)}
    small = {name: value for name, value in SMALL.items() if name in known}
    return kind(**{**small, **settings})


@cache
def backdoor_of(name, seed=0):
    """Return what an attack makes of the blobs, made once."""
    return made(name, seed=seed).poison(data(), CLASSES)


class Again:
    """The same attack once more, in another world, on a view of writable images.

    What trains a network takes seconds, so that several tests look at one run.
    """

    def __init__(self, name):
        self.images, self.labels = data().images.copy(), data().labels.copy()
        given = Dataset(images=self.images, labels=self.labels, name="blobs")
        keras.utils.set_random_seed(5)
        self.world = world()
        keras.utils.set_random_seed(5)
        self.backdoor = made(name).poison(given.take(np.arange(len(given))), CLASSES)
        self.world_after = world()


again = cache(Again)


def world():
    """Return the state of everybody's generators; Keras's own tells it by what it draws."""
    drawn = keras.random.normal((3,)).numpy().tolist()
    return random.getstate(), np.random.get_state()[1].tobytes(), drawn  # noqa: NPY002


def outcome(backdoor):
    """Return all that an attack gives, as bytes."""
    made = backdoor.training
    arrays = [made.images, made.labels, made.true_labels, backdoor.poisoned, backdoor.covers]
    for trigger in backdoor.triggers:
        arrays += [trigger.aim, trigger.apply(data().images)]
    return b"".join(array.tobytes() for array in arrays)


def draws_nothing(name):
    """Return whether an attack has a seed only so that all are called alike, and says so."""
    return (
        "seed: Changes nothing, since nothing is random" in registry.load("attacks", name).__doc__
    )
