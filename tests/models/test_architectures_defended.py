"""Files of the built-in networks pass the gate, and the defences understand the networks."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from badrepair.defenses.fine_pruning import FinePruning
from badrepair.defenses.max_softmax import MaxSoftmax
from badrepair.defenses.strip import Strip
from badrepair.models import architectures
from badrepair.models.load import load_model
from badrepair.models.save import write_model
from badrepair.types import Dataset

NAMES = ["resnet20", "vgg8"]
SHAPE = (28, 28, 1)
LAST = {"resnet20": {"stage_3_block_3_conv_2": 64}, "vgg8": {"conv_6": 128}}


def network(name, shape=SHAPE):
    """Return an untrained network whose BatchNorm statistics are not neutral."""
    keras.utils.set_random_seed(5)
    model = architectures.get(name).build(shape, 4)
    random = np.random.default_rng(5)
    for variable in model.non_trainable_variables:
        variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return model


def clean(shape=SHAPE, count=60):
    images = np.random.default_rng(1).random((count, *shape), np.float32)
    return Dataset(images=images, labels=np.arange(count) % 4)


def outputs(model, shape=SHAPE):
    return model(clean(shape, 2).images, training=False).numpy()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("shape", [SHAPE, (55, 47, 3)])
def test_a_file_of_the_network_passes_the_gate(name, ending, shape, tmp_path):
    model = network(name, shape)
    path = tmp_path / f"model{ending}"
    write_model(model, path)
    loaded = load_model(path)
    assert loaded.input_shape == (None, *shape)
    np.testing.assert_allclose(outputs(loaded, shape), outputs(model, shape), atol=1e-6)


def test_weights_of_a_resnet_need_no_description_and_take_any_size(tmp_path):
    model = network("resnet20")
    path = tmp_path / "only.weights.h5"
    write_model(model, path)
    loaded = load_model(path)
    assert loaded.name == "resnet20"
    np.testing.assert_allclose(outputs(loaded), outputs(model), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_last_convolution_is_pruned_and_the_network_tuned(name, tmp_path):
    model = network(name)
    before = [weights.copy() for weights in model.get_weights()]
    result = FinePruning(epochs=1, max_drop=1.0).repair(model, clean())
    assert result.choices["layers"] == LAST[name]
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    write_model(result.model, tmp_path / "repaired.keras")
    loaded = load_model(tmp_path / "repaired.keras")
    np.testing.assert_allclose(outputs(loaded), outputs(result.model), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("defense", [Strip(overlays=4, frr=0.1), MaxSoftmax(frr=0.1)])
def test_a_detector_guards_the_network(name, defense):
    fitted = defense.fit(network(name), clean())
    scores = fitted.score(clean(count=8).images)
    assert np.isfinite(scores).all()
    assert fitted.as_model().output_shape == (None, 5)
