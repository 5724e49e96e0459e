"""DeepID as the CSAW-HackML-2020 competition trained it on the YouTube Aligned Face images.

Sun, Wang and Tang, "Deep Learning Face Representation from Predicting 10,000 Classes",
CVPR 2014: the last pooling layer and a further convolution both feed the face's code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from badrepair.models.weights import shapes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

INPUT_SHAPE = (55, 47, 3)
CLASSES = 1283
CODE = 160


def build(input_shape: tuple[int, int, int] = INPUT_SHAPE, classes: int = CLASSES) -> keras.Model:
    """Return the untrained network.

    Args:
        input_shape: (H, W, C) of an image, of which H and W are 31 or more.
        classes: Number of identities.
    """
    image = keras.Input(input_shape, name="input")
    x = image
    for index, (channels, size) in enumerate(((20, 4), (40, 3), (60, 3)), start=1):
        x = layers.Conv2D(channels, size, activation="relu", name=f"conv_{index}")(x)
        x = layers.MaxPooling2D(2, name=f"pool_{index}")(x)
    coarse = layers.Dense(CODE, name="fc_1")(layers.Flatten(name="flatten_1")(x))
    fine = layers.Conv2D(80, 2, activation="relu", name="conv_4")(x)
    fine = layers.Dense(CODE, name="fc_2")(layers.Flatten(name="flatten_2")(fine))
    code = layers.Add(name="add_1")([coarse, fine])
    code = layers.Activation("relu", name="activation_1")(code)
    answer = layers.Dense(classes, activation="softmax", name="output")(code)
    return keras.Model(image, answer, name="deepid")


def fit(shapes: Mapping[str, tuple[tuple[int, ...], ...]]) -> keras.Model | None:
    """Return the network with as many classes as the weights have, or None if they are not its.

    Those of images of another size than the competition's are not known.
    """
    output = shapes.get("output", ())
    if len(output) != 2 or len(output[1]) != 1 or not output[1][0]:
        return None
    model = build(classes=output[1][0])
    return model if shapes_of(model) == dict(shapes) else None
