"""A network of the attacker's own, since it does not know the victim's.

It is a small-cnn that answers logits and takes images in 0..1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from badrepair.data.ranges import scaled
from badrepair.errors import DataError
from badrepair.models.architectures import small_cnn
from badrepair.models.logits import logits_model
from badrepair.models.seeded import seeded
from badrepair.models.training import train

if TYPE_CHECKING:
    import keras

    from badrepair.types import Dataset

# Every convolution is followed by a pooling that halves the image.
SMALLEST = 2 ** len(small_cnn.CHANNELS)
LEARNING_RATE = 1e-3
BATCH = 64


def untrained(training: Dataset, classes: int, seed: int) -> keras.Model:
    """Return a network for images of this size; the seed decides about its weights.

    Raises:
        DataError: The images are too small for it.
    """
    height, width, channels = training.images.shape[1:]
    if min(height, width) < SMALLEST:
        problem = f"expected images of {SMALLEST} x {SMALLEST} or more, found {height} x {width}"
        hint = "enlarge them, or take an attack that trains no network"
        raise DataError("ImagesTooSmall", training.name, problem, hint)
    with seeded(seed):
        return logits_model(small_cnn.build((height, width, channels), classes))


def trained(training: Dataset, classes: int, *, epochs: int, seed: int) -> keras.Model:
    """Return a network that was trained on clean images.

    Args:
        training: Images in 0..255 and their true labels.
        classes: Number of classes.
        epochs: Passes over the images.
        seed: Fixes the weights it begins with and the order of the images.

    Raises:
        DataError: The images are too small for it.
    """
    network = untrained(training, classes, seed)
    train(
        network,
        scaled(training, "0-255", "0-1"),
        epochs=epochs,
        learning_rate=LEARNING_RATE,
        batch_size=BATCH,
        seed=seed,
        label="training the surrogate",
    )
    return network
