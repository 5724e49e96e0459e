"""A view reads the rows that are asked for, and no others."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from badrepair.views import Mapped, Selected, batches


class Recording:
    """Images that remember which of their rows were read."""

    def __init__(self, images):
        self.images = images
        self.shape = images.shape
        self.rows = []

    def __len__(self):
        return len(self.images)

    def __getitem__(self, key):
        self.rows += np.arange(len(self))[key].tolist()
        return self.images[key]


@pytest.fixture
def images():
    """Return six images of 2x1 pixels; the k-th shows 2k and 2k + 1."""
    return np.arange(12.0).reshape(6, 2, 1, 1)


def test_selected_rows_come_in_the_order_that_was_given(images):
    view = Selected(images, np.array([4, 0, 5]))
    assert view[:].tolist() == images[[4, 0, 5]].tolist()
    assert view[1:3].tolist() == images[[0, 5]].tolist()
    assert view[np.array([2, 0])].tolist() == images[[5, 4]].tolist()


def test_a_selection_has_the_shape_of_what_is_left(images):
    view = Selected(images, np.array([4, 0, 5]))
    assert view.shape == (3, 2, 1, 1)
    assert len(view) == 3


def test_a_selection_of_a_selection_counts_from_there(images):
    view = Selected(Selected(images, np.array([4, 0, 5])), np.array([2, 1]))
    assert view[:].tolist() == images[[5, 0]].tolist()


def test_a_selection_reads_only_the_rows_that_are_asked_for(images):
    base = Recording(images)
    view = Selected(base, np.array([4, 0, 5]))
    assert base.rows == []
    assert view[:2].shape == (2, 2, 1, 1)
    assert base.rows == [4, 0]


def test_a_mapped_view_sends_the_rows_through_its_function_as_they_are_read(images):
    base = Recording(images)
    view = Mapped(base, lambda rows: rows[:, :1] * 10, (1, 1, 1))
    assert view.shape == (6, 1, 1, 1)
    assert len(view) == 6
    assert base.rows == []
    assert view[1:3].ravel().tolist() == [20, 40]
    assert view[np.array([5, 0])].ravel().tolist() == [100, 0]
    assert base.rows == [1, 2, 5, 0]


def test_views_pile_up(images):
    view = Selected(Mapped(images, lambda rows: -rows, (2, 1, 1)), np.array([3, 1]))
    assert view[:].ravel().tolist() == [-6, -7, -2, -3]


def test_batches_follow_one_another_and_the_last_may_be_short(images):
    parts = list(batches(images, 4))
    assert [len(part) for part in parts] == [4, 2]
    assert np.concatenate(parts).tolist() == images.tolist()


def test_batches_read_one_slice_at_a_time(images):
    base = Recording(images)
    reading = batches(base, 2)
    next(reading)
    assert base.rows == [0, 1]
    next(reading)
    assert base.rows == [0, 1, 2, 3]


def test_no_images_make_no_batches(images):
    assert list(batches(images[:0], 4)) == []


def test_an_hdf5_data_set_can_stand_at_the_bottom(images, tmp_path):
    with h5py.File(tmp_path / "images.h5", "w") as file:
        stored = file.create_dataset("data", data=images)
        view = Mapped(Selected(stored, np.array([1, 4])), lambda rows: rows + 1, (2, 1, 1))
        assert [part.ravel().tolist() for part in batches(view, 1)] == [[3, 4], [9, 10]]
