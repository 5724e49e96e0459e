"""What a repair may look at: the network, and clean images in two parts."""

from __future__ import annotations

from itertools import islice

import keras
import numpy as np
import pytest
from backdoored import accuracy, blobs, network

from badrepair.errors import DataError
from badrepair.mending.case import Case
from badrepair.mending.deadline import Deadline
from badrepair.types import Dataset


def case_of(model=None, clean=None, held_out=0.25, batch_size=100, seed=3):
    return Case.of(
        network() if model is None else model,
        blobs(80, 4) if clean is None else clean,
        held_out=held_out,
        deadline=Deadline(minutes=10),
        batch_size=batch_size,
        seed=seed,
    )


def test_a_share_is_held_out():
    case = case_of()
    assert (len(case.tuning), len(case.held_out)) == (60, 20)


def test_too_few_images_are_refused():
    with pytest.raises(DataError, match="found 1 and 0"):
        case_of(clean=blobs(1, 4))


def test_the_baseline_is_the_share_of_held_out_images_answered_rightly():
    case = case_of()
    assert case.baseline == accuracy(network(), case.held_out)


def test_the_range_of_pixels_is_that_of_the_tuning_images():
    images = np.full((8, 16, 16, 1), 0.5, np.float32)
    images[:, 0, 0, 0], images[:, 1, 1, 0] = -2, 3
    clean = Dataset(images=images, labels=np.arange(8) % 2)
    assert case_of(clean=clean, batch_size=3).pixels == (-2.0, 3.0)


def test_a_range_of_nothing_is_taken_for_one():
    clean = Dataset(images=np.zeros((8, 16, 16, 1), np.float32), labels=np.arange(8) % 2)
    assert case_of(clean=clean).pixels == (0.0, 1.0)


def test_a_pass_draws_every_tuning_image_once_and_batches_are_full():
    case = case_of()
    drawn = [images for images, _ in islice(case.drawn(25), 12)]
    assert {len(images) for images in drawn} == {25}
    seen = np.concatenate(drawn).reshape(300, -1)
    _, counts = np.unique(seen, axis=0, return_counts=True)
    assert list(counts) == [5] * 60


def test_labels_are_drawn_with_their_images():
    case = case_of()
    images, labels = next(case.drawn(60))
    known = {
        image.tobytes(): label
        for image, label in zip(case.tuning.images[:], case.tuning.labels, strict=True)
    }
    assert [known[image.tobytes()] for image in images] == list(labels)


def test_a_seed_and_a_stream_fix_the_order():
    first, again = (next(case_of().drawn(20))[1] for _ in range(2))
    other = next(case_of().drawn(20, stream=1))[0]
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(other, next(case_of().drawn(20))[0])


def test_a_student_answers_logits_and_what_it_learns_can_be_put_into_the_network():
    case = case_of()
    student = case.student()
    student.get_layer("scores").bias.assign([9.0, 0, 0, 0])
    mended = case.mended(student.get_weights())
    images = case.held_out.images[:4]
    answers = keras.ops.softmax(student(images, training=False))
    np.testing.assert_allclose(mended(images, training=False), answers, atol=1e-6)
    assert not np.array_equal(mended.get_weights()[-1], case.before.get_weights()[-1])
