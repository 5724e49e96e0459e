"""Images without labels are opened as a model takes them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from PIL import Image

from badrepair.errors import DataError, InputMissingError
from badrepair.opening import stored_images, unlabelled

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), np.uint8)
UNIT = PIXELS.astype(np.float32) / np.float32(255)
SHAPE = (5, 4, 3)


@pytest.fixture
def stored(tmp_path):
    """Return an HDF5 file with the channels first and labels that fit no model."""
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["data"], file["label"] = PIXELS.transpose(0, 3, 1, 2), np.full(6, -7)
    return tmp_path / "f.h5"


@pytest.mark.parametrize(
    ("input_range", "expected"), [("0-1", UNIT), ("0-255", PIXELS), ("as-is", PIXELS)]
)
def test_stored_images_come_in_the_models_layout_and_range(stored, input_range, expected):
    images = stored_images(stored, SHAPE, input_range=input_range)
    assert images.shape == (6, 5, 4, 3)
    assert np.array_equal(images[:], expected)
    assert np.array_equal(images[np.array([5, 0])], expected[[5, 0]])


def test_what_is_in_the_range_already_stays_as_it_is(tmp_path):
    np.save(tmp_path / "f.npy", UNIT)
    assert np.array_equal(stored_images(tmp_path / "f.npy", SHAPE, input_range="0-1")[:], UNIT)


def test_the_first_rows_are_kept(stored):
    images = stored_images(stored, SHAPE, input_range="0-1", limit=2)
    assert np.array_equal(images[:], UNIT[:2])
    assert len(stored_images(stored, SHAPE, input_range="0-1", limit=7)) == 6


def test_images_that_do_not_fit_are_refused(stored):
    with pytest.raises(DataError, match="ShapeMismatch"):
        stored_images(stored, (6, 4, 3), input_range="0-1")


def test_an_array_is_read_block_by_block_with_its_broken_rows(tmp_path):
    pixels = PIXELS.astype(np.float64)
    pixels[3, 0, 0, 0] = np.nan
    np.save(tmp_path / "f.npy", pixels)
    images = unlabelled(tmp_path / "f.npy", SHAPE, input_range="0-1", color="bgr")
    block = images.read(2, 5)
    assert block.rows.tolist() == [2, 4]
    assert np.array_equal(block.pixels, UNIT[[2, 4]][..., ::-1])
    assert list(block.faults) == [3]


def test_a_folder_is_read_as_pictures_at_any_depth(tmp_path):
    for row, name in enumerate(["7/a.png", "7/deep/b.png", "c.png"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS[row]).save(tmp_path / name)
    images = unlabelled(tmp_path, SHAPE, input_range="0-1", limit=2)
    assert [images.name(row) for row in range(len(images))] == ["7/a.png", "7/deep/b.png"]
    assert np.array_equal(images.read(0, 2).pixels, UNIT[:2])


def test_a_single_picture_is_one_row_wherever_a_link_to_it_stands(tmp_path):
    (tmp_path / "here").mkdir()
    Image.fromarray(PIXELS[0]).save(tmp_path / "a.png")
    (tmp_path / "here" / "link.PNG").symlink_to(tmp_path / "a.png")
    images = unlabelled(tmp_path / "here" / "link.PNG", SHAPE, input_range="0-255")
    assert images.name(0) == "a.png"
    assert np.array_equal(images.read(0, 1).pixels, PIXELS[:1])


def test_what_is_not_there_is_named(tmp_path):
    for name in ("a.png", "a.h5"):
        with pytest.raises(InputMissingError):
            unlabelled(tmp_path / name, SHAPE, input_range="0-1")
