"""Make bad model files and catch what is said about them."""

from __future__ import annotations

import json
import zipfile

import pytest
from old_keras import (
    dense,
    sequential,
    small_config,
    small_model,
    small_weights,
    write_whole,
)

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
    with zipfile.ZipFile(original) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            target.writestr(name, content)
    return path


def with_layer(bad):
    return sequential(*small_config()["config"]["layers"][:2], bad, dense("dense_1", 3))
