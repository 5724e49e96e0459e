"""A data set keeps images and labels in step, and splits fairly and for good."""

from __future__ import annotations

import numpy as np
import pytest

from badrepair.types import Dataset, stratified_order


def numbered(labels, true_labels=None):
    """Return a data set in which the k-th image shows the number k."""
    images = np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1)
    true = None if true_labels is None else np.array(true_labels)
    return Dataset(images=images, labels=np.array(labels), true_labels=true, name="digits")


def numbers(data):
    return data.images[:].ravel().astype(int).tolist()


def test_images_and_labels_must_be_as_many():
    with pytest.raises(ValueError, match=r"digits: .* differ in number: \[2, 3\]"):
        Dataset(images=np.zeros((2, 1, 1, 1)), labels=np.zeros(3, np.int64), name="digits")


def test_true_labels_must_be_as_many():
    with pytest.raises(ValueError, match=r"differ in number: \[1, 2\]"):
        numbered([0, 1], [0])


def test_its_length_is_the_number_of_images():
    assert len(numbered([3, 1, 2])) == 3


def test_taking_rows_keeps_images_labels_and_true_labels_in_step():
    taken = numbered([5, 6, 7, 8], [1, 2, 3, 4]).take(np.array([3, 0, 2]))
    assert numbers(taken) == [3, 0, 2]
    assert taken.labels.tolist() == [8, 5, 7]
    assert taken.true_labels.tolist() == [4, 1, 3]
    assert taken.name == "digits"


def test_taking_from_what_was_taken_counts_from_there():
    taken = numbered([5, 6, 7, 8]).take(np.array([3, 0, 2])).take(np.array([2, 0]))
    assert numbers(taken) == [2, 3]
    assert taken.labels.tolist() == [7, 8]
    assert taken.true_labels is None


def test_no_rows_may_be_taken():
    assert len(numbered([5, 6]).take(np.array([], dtype=np.int64))) == 0


def test_taking_reads_no_image():
    class Unread:
        shape = (4, 1, 1, 1)

        def __len__(self):
            return 4

        def __getitem__(self, key):
            raise AssertionError("an image was read")

    data = Dataset(images=Unread(), labels=np.array([0, 1, 0, 1]))
    first, second = data.split(0.5, seed=0)
    assert (len(first), len(second)) == (2, 2)


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_of_a_split_share_nothing_and_miss_nothing(seed):
    first, second = numbered([0, 1, 2] * 7).split(0.6, seed=seed)
    assert len(first) == 13  # 12.6 of 21, rounded
    assert sorted(numbers(first) + numbers(second)) == list(range(21))


def test_labels_stay_with_their_images_through_a_split():
    data = numbered(np.random.default_rng(0).integers(0, 4, 50))
    for part in data.split(0.3, seed=1):
        assert part.labels.tolist() == data.labels[numbers(part)].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_every_class_keeps_its_share_in_both_parts(seed):
    first, second = numbered([0] * 90 + [1] * 10).split(0.8, seed=seed)
    assert abs(np.sum(first.labels == 1) - 8) <= 1
    assert abs(np.sum(second.labels == 1) - 2) <= 1


def test_the_same_seed_splits_alike_and_another_one_differently():
    data = numbered([0, 1] * 20)
    first, _ = data.split(0.5, seed=3)
    again, _ = data.split(0.5, seed=3)
    other, _ = data.split(0.5, seed=4)
    assert numbers(first) == numbers(again)
    assert numbers(first) != numbers(other)


def test_a_split_leaves_the_global_random_state_alone():
    np.random.seed(7)  # noqa: NPY002 the global state is what is looked at
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    numbered([0, 1] * 20).split(0.5, seed=3)
    assert np.random.random() == expected  # noqa: NPY002


@pytest.mark.parametrize("seed", range(5))
def test_every_prefix_of_a_stratified_order_holds_equal_classes_equally(seed):
    labels = np.repeat([0, 1, 2], 8)
    order = stratified_order(labels, seed)
    assert sorted(order.tolist()) == list(range(24))
    for stop in range(25):
        counts = np.bincount(labels[order[:stop]], minlength=3)
        assert counts.max() - counts.min() <= 1


def test_every_class_comes_in_the_first_of_equal_rounds():
    labels = np.tile(np.arange(5), 4)
    order = stratified_order(labels, seed=0)
    assert [sorted(labels[order][i : i + 5]) for i in range(0, 20, 5)] == [[0, 1, 2, 3, 4]] * 4


@pytest.mark.parametrize("seed", range(5))
def test_every_prefix_of_a_stratified_order_holds_unequal_classes_in_proportion(seed):
    labels = np.repeat([0, 1, 2], [4, 8, 20])
    order = stratified_order(labels, seed)
    for stop in range(33):
        counts = np.bincount(labels[order[:stop]], minlength=3)
        assert np.abs(counts - stop * np.array([4, 8, 20]) / 32).max() < 2


def test_within_a_class_the_order_is_random():
    labels = np.zeros(20, np.int64)
    orders = {tuple(stratified_order(labels, seed).tolist()) for seed in range(5)}
    assert len(orders) == 5
    assert tuple(range(20)) not in orders
