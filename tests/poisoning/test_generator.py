"""Generators draw a picture of the size of any image, each on its own."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from badrepair.poisoning import generator


def drawn(network, images):
    return network(images, training=True).numpy()


@pytest.mark.parametrize("shape", [(28, 28, 1), (55, 47, 3), (8, 9, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_as_large_as_its_image(shape, channels):
    images = np.random.default_rng(0).random((2, *shape), np.float32)
    picture = drawn(generator.build(shape, channels, seed=0), images)
    assert picture.shape == (2, *shape[:2], channels)
    assert 0 < picture.min() < picture.max() < 1


def test_a_picture_depends_on_its_image_alone_even_while_it_learns():
    images = np.random.default_rng(0).random((4, 9, 9, 1))
    network = generator.build((9, 9, 1), 1, seed=0, dtype="float64")
    together = drawn(network, images)
    np.testing.assert_allclose(drawn(network, images[2:3]), together[2:3], rtol=1e-12)
    assert not np.allclose(together[0], together[1])


def test_it_computes_in_the_precision_that_is_asked():
    network = generator.build((8, 8, 1), 1, seed=0, dtype="float64")
    assert {weight.dtype.name for weight in network.get_weights()} == {"float64"}
    assert network(np.ones((1, 8, 8, 1))).dtype == "float64"


def test_the_seed_decides_about_the_weights_whatever_the_world_does():
    made = []
    for world, seed in ((1, 3), (2, 3), (1, 4)):
        keras.utils.set_random_seed(world)
        network = generator.build((8, 8, 1), 1, seed=seed)
        made.append(b"".join(weight.tobytes() for weight in network.get_weights()))
    assert made[0] == made[1] != made[2]
