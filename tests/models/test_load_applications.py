"""Every family of networks that comes with Keras passes, in every format, and answers the same."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from badrepair.models.load import load_model

pytestmark = pytest.mark.slow

# The smallest member of each family, at about the smallest images that it takes.
FAMILIES = {
    "ConvNeXtTiny": 32,
    "DenseNet121": 32,
    "EfficientNetB0": 32,
    "EfficientNetV2B0": 32,
    "InceptionResNetV2": 75,
    "InceptionV3": 75,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "NASNetMobile": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "VGG16": 32,
    "VGG19": 32,
    "Xception": 71,
}
CLASSES = 7
# Keras does not know its own blocks in an .h5, and takes the operation Add for the layer.
BEYOND_KERAS = {(name, "h5") for name in ("ConvNeXtTiny", "InceptionResNetV2", "MobileNetV3Small")}


def built(name):
    build = getattr(keras.applications, name)
    return build(weights=None, input_shape=(FAMILIES[name],) * 2 + (3,), classes=CLASSES)


def shaken(model):
    """Give a network weights and statistics that are neither zero nor one, so that order tells."""
    random = np.random.default_rng(5)
    for variable in model.weights:
        spread = random.uniform(0.9, 1.1, variable.shape)
        offset = 0.02 * random.uniform(-1, 1, variable.shape)
        values = keras.ops.convert_to_numpy(variable) * spread
        variable.assign(values + (offset if "variance" not in variable.path else np.abs(offset)))
    return model


def answers(model):
    side = model.input_shape[1]
    images = np.random.default_rng(3).uniform(0, 255, (4, side, side, 3)).astype(np.float32)
    return keras.ops.convert_to_numpy(model(images, training=False))


def assert_same(found, model):
    """Check weight for weight, since a network of random weights says little of its images."""
    for mine, theirs in zip(found.weights, model.weights, strict=True):
        assert np.array_equal(mine, theirs), mine.path
    np.testing.assert_allclose(answers(found), answers(model), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_answers_as_kerass_own_loader_has_it(tmp_path, name):
    model = shaken(built(name))
    arch = tmp_path / "arch.json"
    arch.write_text(model.to_json())
    model.save_weights(tmp_path / "only.weights.h5")
    assert_same(load_model(tmp_path / "only.weights.h5", arch=str(arch)), model)
    for suffix in ("keras", "h5"):
        path = tmp_path / f"model.{suffix}"
        model.save(path)
        assert_same(load_model(path), model)
        if (name, suffix) in BEYOND_KERAS:
            with pytest.raises(ValueError, match=r"Unknown layer|Only input tensors"):
                keras.saving.load_model(path, compile=False)
        else:
            assert_same(keras.saving.load_model(path, compile=False), model)
