"""Images without labels are read block by block, and broken ones do not stop the others."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from badrepair.data.unlabelled import ArrayRows, PictureRows
from badrepair.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), np.uint8)


def array(pixels, path="f.h5"):
    return ArrayRows(np.asarray(pixels, np.float32), path)


@pytest.fixture
def folder(tmp_path):
    """Return a folder with six pictures in two folders."""
    folder = tmp_path / "pictures"
    for row, name in enumerate(names()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS[row]).save(folder / name)
    return folder


def names():
    return [f"{'ab'[row // 3]}/{row}.png" for row in range(6)]


def pictures(folder, *, shape=(5, 4, 3), input_range="0-255", **options):
    return PictureRows(
        folder=folder, names=names(), shape=shape, input_range=input_range, **options
    )


def test_rows_of_an_array_are_read_by_their_numbers_and_have_no_name():
    images = array(PIXELS)
    block = images.read(2, 4)
    assert np.array_equal(block.pixels, PIXELS[2:4])
    assert block.rows.tolist() == [2, 3]
    assert block.faults == {}
    assert (len(images), images.name(3)) == (6, "")


def test_rows_that_are_not_finite_are_faults_with_their_numbers():
    pixels = PIXELS.astype(np.float32)
    pixels[1, 0, 0] = [np.nan, np.inf, 0]
    pixels[3, 0, 0, 0] = -np.inf
    block = array(pixels).read(1, 5)
    assert block.rows.tolist() == [2, 4]
    assert np.array_equal(block.pixels, PIXELS[[2, 4]])
    assert {row: fault.code for row, fault in block.faults.items()} == {
        1: "NotFinite",
        3: "NotFinite",
    }
    assert block.faults[1].problem == "2 pixels are NaN or infinite"


def test_a_block_in_which_nothing_can_be_read_is_empty():
    block = array(np.full((2, 5, 4, 3), np.nan)).read(0, 2)
    assert block.pixels.shape == (0, 5, 4, 3)
    assert sorted(block.faults) == [0, 1]


def test_pictures_are_read_in_the_order_of_their_names(folder):
    images = pictures(folder)
    block = images.read(1, 5)
    assert np.array_equal(block.pixels, PIXELS[1:5])
    assert block.rows.tolist() == [1, 2, 3, 4]
    assert images.name(4) == "b/4.png"


def test_a_picture_is_to_the_last_bit_the_row_of_an_array(folder):
    block = pictures(folder, input_range="0-1").read(0, 6)
    assert block.pixels.dtype == np.float32
    assert np.array_equal(block.pixels, PIXELS.astype(np.float32) / np.float32(255))


def test_pictures_are_resized_where_that_is_asked_for(folder):
    assert pictures(folder, shape=(10, 8, 1), resize=True).read(0, 2).pixels.shape == (2, 10, 8, 1)
    block = pictures(folder, shape=(10, 8, 3)).read(0, 2)
    assert {fault.code for fault in block.faults.values()} == {"SizeMismatch"}


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda path: path.write_bytes(b""), "UnknownFormat"),
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "Corrupt"),
        (lambda path: path.unlink(), "InputMissing"),
        (lambda path: Image.new("RGB", (3, 3)).save(path), "SizeMismatch"),
    ],
)
def test_a_broken_picture_does_not_stop_the_others(folder, spoil, code):
    spoil(folder / "a/1.png")
    block = pictures(folder).read(0, 3)
    assert block.rows.tolist() == [0, 2]
    assert np.array_equal(block.pixels, PIXELS[[0, 2]])
    assert block.faults[1].code == code
    assert "\n" not in block.faults[1].problem


def test_whatever_a_decoder_raises_is_one_fault(folder, monkeypatch):
    def fail(self, *_):
        raise AttributeError("nobody\nexpects " + "x" * 1000)

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
    fault = pictures(folder).read(0, 1).faults[0]
    assert fault.code == "Corrupt"
    assert "AttributeError: nobody expects xxx" in fault.problem
    assert len(fault.problem) == 300


def test_a_machine_without_memory_is_no_fault_of_the_picture(folder, monkeypatch):
    def fail(self, *_):
        raise MemoryError

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
    with pytest.raises(MemoryError):
        pictures(folder).read(0, 1)


def test_a_link_out_of_the_folder_is_not_followed(folder, tmp_path):
    shutil.move(folder / "a/1.png", tmp_path / "secret.png")
    (folder / "a/1.png").symlink_to(tmp_path / "secret.png")
    block = pictures(folder).read(0, 3)
    assert block.rows.tolist() == [0, 2]
    assert block.faults[1].code == "LinkRefused"


def test_a_link_inside_the_folder_is_followed(folder):
    (folder / "a/1.png").unlink()
    (folder / "a/1.png").symlink_to("0.png")
    assert np.array_equal(pictures(folder).read(0, 2).pixels, PIXELS[[0, 0]])


def test_pictures_have_one_or_three_channels(folder):
    with pytest.raises(DataError, match=r"ShapeMismatch.*takes 2"):
        pictures(folder, shape=(5, 4, 2))


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    digest, size = array(PIXELS, tmp_path / "f").digest()
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert size == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "b/5.png").write_bytes(b"abc"),
        lambda folder: (folder / "b/5.png").unlink(),
        lambda folder: os.rename(folder / "b/4.png", folder / "b/5.png"),
    ],
)
def test_the_digest_of_pictures_tells_every_change(folder, change):
    digest, size = pictures(folder).digest()
    assert pictures(folder).digest() == (digest, size)
    assert size == sum((folder / name).stat().st_size for name in names())
    change(folder)
    assert pictures(folder).digest()[0] != digest


def test_other_files_in_the_folder_do_not_count(folder):
    digest = pictures(folder).digest()
    (folder / "rows.csv").write_text("index")
    assert pictures(folder).digest() == digest
