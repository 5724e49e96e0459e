"""The range that a network takes shows in how it answers smooth noise."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from badrepair.models.probing import PROBES, smooth_noise, surmise_range


def quarters(scale, bias=(0, 0, 0, 0), size=8):
    """Return a network whose logits are the mean brightness of an image's four quarters."""
    inputs = keras.Input((size, size, 1))
    deciding = layers.Dense(4)
    means = layers.Flatten()(layers.AveragePooling2D(size // 2)(inputs))
    model = keras.Model(inputs, layers.Softmax()(deciding(means)))
    deciding.set_weights([np.eye(4) * scale, np.array(bias)])
    return model


def test_sure_and_varied_answers_at_0_to_1_speak_for_it():
    surmise = surmise_range(quarters(scale=50))
    assert surmise.input_range == "0-1"
    assert "0..1" in surmise.sentence
    assert "--input-range" in surmise.sentence


def test_a_bias_that_swallows_0_to_1_speaks_for_0_to_255():
    # At 0..1 quarters differ by at most 1, so that the 20 decides; at 0..255 they differ by more.
    surmise = surmise_range(quarters(scale=1, bias=(20, 0, 0, 0)))
    assert surmise.input_range == "0-255"
    assert "0..255" in surmise.sentence


def test_answers_that_are_varied_but_unsure_at_0_to_1_speak_for_0_to_255():
    # Logits that differ by at most 1 leave an entropy of over 90 % of two bits.
    assert surmise_range(quarters(scale=1)).input_range == "0-255"


@pytest.mark.parametrize(
    ("scale", "bias"), [(0, (0, 0, 0, 0)), (0, (9, 0, 0, 0)), (1, (1e4, 0, 0, 0))]
)
def test_a_network_that_tells_nothing_apart_gives_no_surmise(scale, bias):
    assert surmise_range(quarters(scale, bias)) is None


def test_a_network_of_any_size_gives_no_surmise():
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(inputs)))
    assert surmise_range(model) is None


def test_the_share_that_is_said_is_the_share_that_was_counted():
    # One answer in four would be even; the most frequent one has a little more.
    probes = smooth_noise(PROBES, (8, 8, 1), seed=3)
    blocks = probes.reshape(PROBES, 2, 4, 2, 4).mean(axis=(2, 4)).reshape(PROBES, 4)
    share = np.bincount(blocks.argmax(axis=1)).max() / PROBES
    assert f"has {share:.0%}" in surmise_range(quarters(scale=50), seed=3).sentence


def test_smooth_noise_is_in_range_and_of_the_shape_asked_for():
    images = smooth_noise(3, (10, 7, 3), seed=0)
    assert images.shape == (3, 10, 7, 3)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.std() > 0.1


def test_smooth_noise_is_smooth():
    # Neighbours in white noise differ by 1/3 on average.
    images = smooth_noise(20, (48, 48, 1), seed=0)
    assert np.abs(np.diff(images, axis=1)).mean() < 0.1
    assert np.abs(np.diff(images, axis=2)).mean() < 0.1


def test_smooth_noise_differs_between_images_and_channels_and_follows_its_seed():
    images = smooth_noise(2, (8, 8, 2), seed=1)
    assert not np.allclose(images[0], images[1])
    assert not np.allclose(images[..., 0], images[..., 1])
    assert np.array_equal(images, smooth_noise(2, (8, 8, 2), seed=1))
    assert not np.allclose(images, smooth_noise(2, (8, 8, 2), seed=2))
