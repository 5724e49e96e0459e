"""Build a Sequential from its description in one go.

Keras's own `Sequential.from_config` adds one layer after another and builds the whole network anew
after each: five hundred layers in 40 KB take over half a minute.
"""

from __future__ import annotations

from typing import Any

import keras


class Sequential:
    """What Keras is to make a Sequential with, as a custom object of that name."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> keras.Sequential:
        """Return a network of Keras's own class, built after its last layer was added.

        Args:
            config: Its name and its layers, the first of which is an InputLayer (JSON, hence Any).
        """
        layers = [keras.saving.deserialize_keras_object(layer) for layer in config["layers"]]
        return keras.Sequential(layers, name=config["name"])
