"""Every layer that the gate lets pass comes back from either format, and answers the same."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from old_keras import answers

from badrepair.models.gate import allowed
from badrepair.models.load import load_model

# What a layer must be made with, and what it takes instead of one image of 8x8x1.
OPTIONS = {
    "ActivityRegularization": {"l2": 0.1},
    "Activation": {"activation": "tanh"},
    "CenterCrop": {"height": 4, "width": 5},
    "AveragePooling": {"pool_size": 2},
    "Dense": {"units": 4},
    "Dot": {"axes": -1},
    "EinsumDense": {"equation": "abcd,de->abce", "output_shape": (8, 8, 4)},
    "Embedding": {"input_dim": 5, "output_dim": 2},
    "GroupNormalization": {"groups": 1},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
    "Normalization": {"mean": 0.3, "variance": 0.2},
    "Permute": {"dims": (2, 1, 3)},
    "RandomBrightness": {"factor": 0.2},
    "RandomContrast": {"factor": 0.2},
    "RandomCrop": {"height": 8, "width": 8},
    "RandomRotation": {"factor": 0.2},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.1},
    "RandomZoom": {"height_factor": 0.2},
    "RepeatVector": {"n": 3},
    "Rescaling": {"scale": 0.5, "offset": -1.0},
    "Reshape": {"target_shape": (4, 16)},
    "Resizing": {"height": 5, "width": 3, "interpolation": "nearest"},
    "Softmax": {"axis": 1},
}
RATES = {"Dropout", "AlphaDropout", "GaussianDropout", "SpatialDropout"}
NOISE = {"GaussianNoise": {"stddev": 0.1}}
PAIRS = {"Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"}
ATTENTIONS = {"Attention", "AdditiveAttention", "MultiHeadAttention"}
WRAPPERS = {
    "SpectralNormalization": lambda: layers.Conv2D(2, 3),
    "TimeDistributed": lambda: layers.Dense(3),
}
# Keras cannot write them into an .h5.
BEYOND_H5 = {"RandomBrightness"}
# The input layer is in every network; the others are names of Keras 2 (test_load_old_layers.py).
ELSEWHERE = {"InputLayer", "BatchNormalizationV1", "BatchNormalizationV2"}
OF_RANK = {"1D": (8, 8), "2D": (8, 8, 1), "3D": (4, 4, 4)}
KERNELS = ("Conv", "SeparableConv", "DepthwiseConv")


def rank(kind):
    return next((one for one in OF_RANK if one in kind), "2D")


def made(kind):
    """Return a layer of a class, with the fewest settings that it takes."""
    cls = getattr(layers, kind)
    family = kind.partition(rank(kind))[0]
    if kind in WRAPPERS:
        return cls(WRAPPERS[kind]())
    if family in RATES:
        return cls(0.5)
    if family.startswith("Adaptive"):
        return cls(2)
    if family in KERNELS:
        return cls(
            **({"depth_multiplier": 2} if family == KERNELS[-1] else {"filters": 3}), kernel_size=2
        )
    return cls(**{**OPTIONS, **NOISE}.get(kind) or OPTIONS.get(family, {}))


def called(kind, image):
    """Return what a layer makes of an image, in the shape that the layer takes."""
    shape = (64,) if kind == "RepeatVector" else OF_RANK[rank(kind)]
    shape = (*shape, 1) if rank(kind) == "3D" else shape
    tensor = image if shape == (8, 8, 1) else layers.Reshape(shape)(image)
    layer = made(kind)
    if kind in PAIRS:
        tensor = layers.Reshape((8, 8))(image) if kind == "Dot" else tensor
        return layer([tensor, layers.ReLU()(tensor)])
    if kind in ATTENTIONS:
        rows = layers.Reshape((8, 8))(image)
        return layer(rows, rows) if kind == "MultiHeadAttention" else layer([rows, rows])
    return layer(tensor)


def network(kind):
    image = keras.Input((8, 8, 1))
    flat = layers.Flatten()(called(kind, image))
    return shaken(keras.Model(image, layers.Dense(3)(flat)))


def shaken(model):
    random = np.random.default_rng(5)
    for variable in model.weights:
        if "seed" not in variable.path:
            variable.assign(random.uniform(0.1, 1.0, variable.shape))
    return model


@pytest.mark.parametrize("kind", sorted(allowed.LAYERS - ELSEWHERE))
def test_a_layer_comes_back(tmp_path, kind):
    model = network(kind)
    expected = answers(model)
    model.save_weights(tmp_path / "only.weights.h5")
    (tmp_path / "arch.json").write_text(model.to_json())
    for suffix in ("keras",) if kind in BEYOND_H5 else ("keras", "h5"):
        path = tmp_path / f"model.{suffix}"
        model.save(path)
        np.testing.assert_allclose(answers(load_model(path)), expected, atol=1e-6, err_msg=suffix)
    loaded = load_model(tmp_path / "only.weights.h5", arch=str(tmp_path / "arch.json"))
    np.testing.assert_allclose(answers(loaded), expected, atol=1e-6)


@pytest.mark.parametrize("name", sorted(allowed.ACTIVATIONS - {"softmax_v2"}))
def test_an_activation_comes_back(tmp_path, name):
    image = keras.Input((8, 8, 1))
    flat = layers.Flatten()(layers.Conv2D(2, 3, activation=name)(image))
    model = keras.Model(image, layers.Dense(3, "softmax")(flat))
    for suffix in ("keras", "h5"):
        path = tmp_path / f"model.{suffix}"
        model.save(path)
        np.testing.assert_allclose(answers(load_model(path)), answers(model), atol=1e-6)
