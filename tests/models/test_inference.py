"""A network runs over many images in batches, in inference mode, reading as little as it can."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from badrepair import progress
from badrepair.errors import ModelError, ResourceError
from badrepair.models import inference


@pytest.fixture
def model():
    """Return a network that scores the pixel x as (x, 3 - x, 1)."""
    entry = keras.Input((1, 1, 1))
    model = keras.Model(entry, layers.Dense(3)(layers.Flatten()(entry)))
    model.set_weights([np.array([[1.0, -1.0, 0.0]]), np.array([0.0, 3.0, 1.0])])
    return model


def pixels(*values, dtype=np.float32):
    return np.array(values, dtype).reshape(-1, 1, 1, 1)


def test_all_outputs_come_back_in_order(model):
    outputs = inference.run(model, pixels(0, 1, 2, 5), batch_size=3)
    assert outputs.tolist() == [[0, 3, 1], [1, 2, 1], [2, 1, 1], [5, -2, 1]]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_the_batch_size_changes_nothing(model, size):
    images = pixels(0, 1, 2, 5, 1, 9, -4)
    assert inference.answers(model, images, batch_size=size).tolist() == [1, 1, 0, 0, 1, 0, 1]


def test_of_equal_scores_the_first_class_is_answered(model):
    assert inference.answers(model, pixels(1.5)).tolist() == [0]


def test_whole_numbers_and_doubles_are_taken(model):
    for dtype in (np.uint8, np.int64, np.float64):
        assert inference.answers(model, pixels(0, 5, dtype=dtype)).tolist() == [1, 0]


def test_no_images_have_no_answers(model):
    answers = inference.answers(model, np.empty((0, 1, 1, 1), np.float32))
    assert answers.shape == (0,)
    assert answers.dtype == np.int64


def test_what_is_kept_is_reduced_batch_by_batch(model):
    def sums(outputs):
        return tf.reduce_sum(outputs, axis=-1)

    assert inference.run(model, pixels(0, 1, 2), sums, batch_size=2).tolist() == [4, 4, 4]


def test_images_are_read_once_in_slices_of_a_batch(model, recording):
    images = recording(pixels(*range(7)))
    inference.answers(model, images, batch_size=3, label="answering")
    loops, rows = zip(*images.reads, strict=True)
    assert [row.tolist() for row in rows] == [[0, 1, 2], [3, 4, 5], [6]]
    assert set(loops) == {"answering"}


def test_progress_is_counted_in_batches(model):
    seen = []

    def note(items, label, total):
        seen.append((label, total))
        return items

    with progress.using(note):
        inference.run(model, pixels(*range(7)), batch_size=3)
    assert seen == [("predicting", 3)]


def test_mistake_9_nothing_random_is_on():
    entry = keras.Input((1, 1, 1))
    noisy = layers.GaussianNoise(1.0)(layers.Dropout(0.5)(entry))
    outputs = inference.run(keras.Model(entry, layers.Flatten()(noisy)), pixels(*range(8)))
    assert outputs.ravel().tolist() == list(range(8))


def test_the_statistics_of_normalisations_are_used_and_not_updated():
    entry = keras.Input((1, 1, 1))
    model = keras.Model(entry, layers.Flatten()(layers.BatchNormalization(epsilon=0.0)(entry)))
    model.set_weights([np.array([value], np.float32) for value in (3, 1, 2, 4)])
    outputs = inference.run(model, pixels(2, 4, 6))
    assert outputs.ravel().tolist() == [1, 4, 7]  # 3 * (x - 2) / 2 + 1
    assert [weight.item() for weight in model.get_weights()] == [3, 1, 2, 4]


def test_a_call_that_is_too_large_for_the_memory_is_halved_three_times(model, monkeypatch, caplog):
    tried = []

    def batches(images, size, really=inference.batches):
        tried.append(size)
        if size > 2:
            raise MemoryError
        return really(images, size)

    monkeypatch.setattr(inference, "batches", batches)
    assert inference.answers(model, pixels(0, 5, 1), batch_size=16).tolist() == [1, 0, 1]
    assert tried == [16, 8, 4, 2]
    assert len(caplog.records) == 3
    with pytest.raises(ResourceError, match="a call of 4 images") as caught:
        inference.answers(model, pixels(0, 5), batch_size=32)
    assert (caught.value.code, caught.value.exit_code) == ("OutOfMemory", 69)


def test_a_network_that_can_be_built_and_not_run_is_refused_in_words():
    # Keras says that it crops to 2 x 2, and does not where nothing is trained.
    cropping = [layers.Input((4, 4, 1)), layers.RandomCrop(2, 2), layers.Flatten(), layers.Dense(3)]
    model = keras.Sequential(cropping, name="cropped")
    with pytest.raises(ModelError, match="axis -1 of input shape to have value 4") as refused:
        inference.answers(model, np.zeros((1, 4, 4, 1), np.float32))
    assert (refused.value.code, refused.value.where) == ("CannotRun", "cropped")


def test_a_network_that_answers_more_rows_than_it_gets_is_refused():
    entry = keras.Input((1, 1, 1))
    flat = layers.Flatten()(entry)
    model = keras.Model(entry, layers.Concatenate(axis=0)([flat, flat]), name="doubled")
    with pytest.raises(ModelError, match="it makes 6 answers of 3 images") as refused:
        inference.answers(model, pixels(1, 2, 3))
    assert refused.value.code == "CannotRun"


def test_as_many_images_are_run_at_once_as_their_largest_activation_allows(monkeypatch):
    entry = keras.Input((2, 2, 1))
    large = layers.UpSampling2D(5)(entry)  # 100 values
    model = keras.Model(entry, layers.GlobalAveragePooling2D()(large))
    monkeypatch.setattr(inference, "MOST_VALUES_A_CALL", 350)
    assert inference.images_a_call(model, (2, 2, 1)) == 3
    asked = []
    monkeypatch.setattr(
        inference, "batches", lambda images, size: asked.append(size) or [images[:2], images[2:]]
    )
    assert inference.run(model, np.ones((4, 2, 2, 1))).tolist() == [[1.0]] * 4
    assert asked == [3]
    monkeypatch.setattr(inference, "MOST_VALUES_A_CALL", 1)
    assert inference.images_a_call(model, (2, 2, 1)) == 1


def test_activations_of_a_network_for_any_size_are_those_of_the_size_that_it_gets(monkeypatch):
    entry = keras.Input((None, None, 1))
    model = keras.Model(entry, layers.GlobalAveragePooling2D()(layers.UpSampling2D(2)(entry)))
    monkeypatch.setattr(inference, "MOST_VALUES_A_CALL", 1000)
    assert inference.images_a_call(model, (5, 5, 1)) == 10
    assert inference.images_a_call(model, (10, 5, 1)) == 5
