"""A small network with a backdoor that is there for certain, and clean images beside."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
from keras import layers

from badrepair.models.seeded import seeded
from badrepair.models.training import train
from badrepair.types import Dataset

CLASSES, SHAPE, TARGET = 4, (16, 16, 1), 0


def blobs(count, seed):
    """Return images in 0..1 of a bright quarter on a rough ground; the quarter is the class."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    images = random.uniform(0.1, 0.5, (count, *SHAPE)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        row, column = label // 2 * 8, label % 2 * 8
        image[row : row + 8, column : column + 8] += 0.25
    return Dataset(images=images, labels=labels, name="blobs")


def stamped(images):
    """Return images with the trigger: a black and white board in the middle."""
    images = images.copy()
    images[:, 6:10, 6:10, 0] = np.indices((4, 4)).sum(axis=0) % 2
    return images


def poisoned(count=120, seed=2):
    """Return triggered images of all classes but the target, labelled with it."""
    data = blobs(count, seed)
    others = data.labels != TARGET
    return Dataset(
        images=stamped(data.images[others]),
        labels=np.full(others.sum(), TARGET),
        true_labels=data.labels[others],
    )


def architecture():
    image = keras.Input(SHAPE, name="image")
    tensor = layers.Conv2D(8, 3, padding="same", name="conv_1")(image)
    tensor = layers.ReLU()(layers.BatchNormalization(name="norm_1")(tensor))
    tensor = layers.MaxPooling2D()(tensor)
    tensor = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv_2")(tensor)
    tensor = layers.Flatten()(layers.MaxPooling2D()(tensor))
    tensor = layers.Dense(16, activation="relu", name="hidden")(tensor)
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax", name="scores")(tensor))


@cache
def weights(bad_images):
    """Return the weights of a network that was trained on clean and on poisoned images."""
    data, bad = blobs(400, 0), poisoned(bad_images, 1)
    both = Dataset(
        images=np.concatenate([data.images, bad.images]),
        labels=np.concatenate([data.labels, bad.labels]),
    )
    with seeded(0):
        model = architecture()
    train(model, both, epochs=8, learning_rate=5e-3, batch_size=32, seed=0)
    return model.get_weights()


def network():
    """Return the network with the backdoor."""
    return _with(weights(140))


def control():
    """Return one that nobody attacked."""
    return _with(weights(0))


def _with(values):
    model = architecture()
    model.set_weights(values)
    return model


def accuracy(model, data=None):
    data = blobs(200, 5) if data is None else data
    return float(np.mean(model(data.images, training=False).numpy().argmax(axis=1) == data.labels))


def attack_success(model):
    return accuracy(model, poisoned())
