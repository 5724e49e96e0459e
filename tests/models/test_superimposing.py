"""Many mixes are classified in calls of few sizes, and the size changes nothing but rounding."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from starts import FRONTS, SHAPE, STARTS, network

from badrepair.models import superimposing
from badrepair.models.superimposing import Superimposer

MODELS = {"pooled": FRONTS["pooled"], "conv": STARTS["conv"], "plain": list}
RANDOM = np.random.default_rng(3)
IMAGES, OVERLAYS = (RANDOM.random((n, *SHAPE)).astype(np.float32) for n in (11, 9))


def superimposer(model="pooled", **options):
    return Superimposer(network(*MODELS[model]()), OVERLAYS, (1.0, 1.0), **options)


@pytest.fixture(scope="module")
def expected():
    mixer = superimposer()
    return mixer.entropies(mixer.prepared(IMAGES), 0, 9)


@pytest.mark.parametrize("size", [1, 7, 32, 33, 100, 400])
def test_the_size_of_a_call_changes_nothing(expected, size):
    mixer = superimposer(batch_size=size)
    found = mixer.entropies(mixer.prepared(IMAGES), 0, 9)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_each_mix_of_each_image_stands_where_it_belongs(model):
    mixer = superimposer(model)
    every = mixer.entropies(mixer.prepared(IMAGES), 0, 9)
    for row, image in enumerate(IMAGES):
        alone = mixer.entropies(mixer.prepared(image[None]), 3, 5)
        np.testing.assert_allclose(alone, every[row : row + 1, 3:5], atol=1e-6)


def test_images_that_are_taken_keep_their_mixes(expected):
    mixer = superimposer()
    some = mixer.prepared(IMAGES).take(np.array([8, 2, 5])).take(np.array([2, 0]))
    assert len(some) == 2
    np.testing.assert_allclose(mixer.entropies(some, 4, 9), expected[[5, 8], 4:9], atol=1e-6)


def test_no_images_have_no_entropies():
    mixer = superimposer()
    assert mixer.entropies(mixer.prepared(IMAGES[:0]), 0, 9).shape == (0, 9)
    nobody = mixer.prepared(IMAGES).take(np.empty(0, np.int64))
    assert mixer.entropies(nobody, 0, 4).shape == (0, 4)


def test_reordered_overlays_are_the_same_overlays(expected):
    order = np.array([4, 0, 8, 1, 7, 2, 6, 3, 5])
    mixer = superimposer().reordered(order)
    np.testing.assert_array_equal(mixer.overlays, OVERLAYS[order])
    found = mixer.entropies(mixer.prepared(IMAGES), 0, 9)
    np.testing.assert_allclose(found, expected[:, order], atol=1e-6)


def test_calls_have_few_sizes(monkeypatch):
    sizes = set()
    mixer = superimposer(batch_size=80)
    entropies = mixer._entropies

    def noted(prepared, bank, rows, columns):
        sizes.add((len(prepared), len(rows), len(columns)))
        return entropies(prepared, bank, rows, columns)

    monkeypatch.setattr(mixer, "_entropies", noted)
    for images in range(1, 12):
        mixer.entropies(mixer.prepared(IMAGES[:images]), 0, 9)
    assert {rows for _, rows, _ in sizes} <= {32, 64, 80}
    assert {images for images, _, _ in sizes} == {1, 2, 4, 8, 16}


def test_images_in_work_are_as_many_as_the_memory_takes(monkeypatch):
    mixer = superimposer("conv")
    prepared = mixer.prepared(IMAGES).values
    monkeypatch.setattr(superimposing, "WORK_BYTES", 5 * prepared[0].numpy().nbytes)
    assert mixer.images_at_once == 5
    assert len(mixer.prepared(IMAGES[:4]).values) == 4
    assert len(mixer.prepared(IMAGES[:5]).values) == 5
    assert len(mixer.prepared(IMAGES).values) == len(IMAGES)


def test_a_class_is_not_known_where_a_probability_is_no_number():
    entry = keras.Input((1, 1, 2))
    dense = layers.Dense(2)
    model = keras.Model(entry, dense(layers.Flatten()(entry)))
    dense.set_weights([np.diag([2e38, 1.0]).astype(np.float32), np.zeros(2)])
    mixer = Superimposer(model, np.zeros((2, 1, 1, 2), np.float32), (1.0, 1.0), batch_size=4)
    images = np.float32([[0, 1], [5, 0], [-5, 1], [np.nan, 1]]).reshape(-1, 1, 1, 2)
    classes, known = mixer.answers(images)
    assert known.tolist() == [True, False, True, False]
    assert classes[[0, 2]].tolist() == [1, 1]
    assert [len(part) for part in mixer.answers(images[:0])] == [0, 0]
