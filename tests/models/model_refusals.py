"""Make bad model files and catch what is said about them."""

from __future__ import annotations

import pytest
from old_keras import (
    dense,
    sequential,
    small_config,
    small_model,
    small_weights,
    write_whole,
)
from rewriting import rewritten

from badrepair.errors import ModelError
from badrepair.models.load import load_model


def refusal(path, **options):
    with pytest.raises(ModelError) as caught:
        load_model(path, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def whole(path, config):
    return write_whole(path, config, small_weights())


def keras_file(path, change=lambda config: None, model=None):
    """Save a small network as .keras and change its config.json."""
    original = path.with_name("original.keras")
    (model or small_model()).save(original)
    return rewritten(original, path, change)


def with_layer(bad):
    return sequential(*small_config()["config"]["layers"][:2], bad, dense("dense_1", 3))
