"""Flagged images are copied into one folder and nowhere else."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from journal_rows import unreadable
from PIL import Image

from badrepair.data.unlabelled import ArrayRows, Block, PictureRows
from badrepair.errors import OptionError, OutputError
from badrepair.journal import Row
from badrepair.quarantine import Quarantine
from badrepair.screening import Screened

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 5, 4, 3), np.uint8)
SHAPE = (5, 4, 3)


@pytest.fixture
def source(tmp_path):
    """Return a folder with pictures in folders."""
    folder = tmp_path / "photos"
    for row, name in enumerate(names()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS[row]).save(folder / name)
    return folder


def names():
    return ["a/b/0.png", "a/1.png", "2.png"]


@pytest.fixture
def pictures(source, tmp_path):
    images = PictureRows(folder=source, names=names(), shape=SHAPE, input_range="0-1")
    return Quarantine(folder=tmp_path / "bad", images=images, input_range="0-1")


def arrays(folder, pixels=PIXELS, input_range="0-255"):
    images = ArrayRows(np.asarray(pixels, np.float32), folder / "f.npy")
    return Quarantine(folder=folder / "bad", images=images, input_range=input_range)


def found(quarantine, flagged):
    """Return all images as screened, of which some are flagged."""
    count = len(quarantine.images)
    rows = tuple(
        Row(index=row, path="", verdict="poisoned" if row in flagged else "clean")
        for row in range(count)
    )
    pixels = getattr(quarantine.images, "images", np.zeros((count, *SHAPE)))
    return Screened(rows, Block(pixels, np.arange(count)))


def checked(quarantine, source, shape=SHAPE, filled=False):
    quarantine.check(source=source, shape=shape, filled=filled)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_flagged_pictures_are_copied_as_they_are_under_their_names(pictures, source):
    pictures.keep(found(pictures, {0, 2}))
    assert files(pictures.folder) == ["2.png", "a/b/0.png"]
    for name in files(pictures.folder):
        assert (pictures.folder / name).read_bytes() == (source / name).read_bytes()


def test_flagged_rows_of_arrays_are_pictures_named_by_their_numbers(tmp_path):
    quarantine = arrays(tmp_path)
    quarantine.keep(found(quarantine, {2, 11}))
    assert files(quarantine.folder) == ["02.png", "11.png"]
    with Image.open(quarantine.folder / "11.png") as picture:
        assert np.array_equal(np.asarray(picture), PIXELS[11])


@pytest.mark.parametrize(
    ("pixels", "input_range"),
    [(PIXELS / 255, "0-1"), (PIXELS, "0-255"), (PIXELS / PIXELS[3].max(), "as-is")],
)
def test_the_pictures_show_the_pixels_in_any_range(tmp_path, pixels, input_range):
    quarantine = arrays(tmp_path, pixels, input_range)
    quarantine.keep(found(quarantine, {3}))
    with Image.open(quarantine.folder / "03.png") as picture:
        peak = 255 / PIXELS[3].max() if input_range == "as-is" else 1
        assert np.array_equal(np.asarray(picture), np.rint(PIXELS[3] * peak))


def test_grey_rows_are_grey_pictures(tmp_path):
    quarantine = arrays(tmp_path, PIXELS[..., :1])
    quarantine.keep(found(quarantine, {0}))
    with Image.open(quarantine.folder / "00.png") as picture:
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), PIXELS[0, ..., 0])


def test_only_the_rows_that_are_new_are_copied(tmp_path):
    quarantine = arrays(tmp_path)
    whole = found(quarantine, {2, 5})
    quarantine.keep(Screened(whole.rows[4:], whole.block))
    assert files(quarantine.folder) == ["05.png"]


def test_an_image_that_cannot_be_read_is_no_copy(tmp_path):
    quarantine = arrays(tmp_path)
    whole = found(quarantine, {5})
    rows = (*whole.rows[:3], unreadable(3), *whole.rows[4:])
    readable = np.delete(np.arange(12), 3)
    quarantine.keep(Screened(rows, Block(whole.block.pixels[readable], readable)))
    assert files(quarantine.folder) == ["05.png"]


def test_pixels_belong_to_their_rows_where_others_could_not_be_read(tmp_path):
    quarantine = arrays(tmp_path)
    whole = found(quarantine, {5})
    block = Block(whole.block.pixels[[0, 5]], np.array([0, 5]))
    quarantine.keep(Screened(whole.rows, block))
    with Image.open(quarantine.folder / "05.png") as picture:
        assert np.array_equal(np.asarray(picture), PIXELS[5])


def test_copying_twice_is_copying_once(pictures):
    for _ in range(2):
        pictures.keep(found(pictures, {0, 1}))
    assert files(pictures.folder) == ["a/1.png", "a/b/0.png"]


def test_where_nothing_is_flagged_no_folder_is_made(pictures):
    pictures.keep(found(pictures, set()))
    assert not pictures.folder.exists()


def test_a_link_in_place_of_a_copy_is_replaced_not_followed(pictures, tmp_path):
    pictures.folder.mkdir()
    (tmp_path / "precious").write_text("mine")
    (pictures.folder / "2.png").symlink_to(tmp_path / "precious")
    pictures.keep(found(pictures, {2}))
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (pictures.folder / "2.png").is_symlink()


@pytest.mark.parametrize("inside", ["a", "a/b"])
def test_a_link_in_place_of_a_folder_is_refused(pictures, tmp_path, inside):
    (pictures.folder / inside).parent.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (pictures.folder / inside).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="LinkRefused"):
        pictures.keep(found(pictures, {0}))
    assert files(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("name", ["../out.png", "/tmp/out.png", "a/../../out.png"])
def test_a_name_that_leads_out_is_refused(tmp_path, source, name):
    Image.fromarray(PIXELS[0]).save(tmp_path / "out.png")
    images = PictureRows(folder=source, names=[name], shape=SHAPE, input_range="0-1")
    quarantine = Quarantine(folder=tmp_path / "x" / "bad", images=images, input_range="0-1")
    quarantine.folder.mkdir(parents=True)
    before = files(tmp_path)
    with pytest.raises(OutputError, match="PathRefused"):
        quarantine.keep(found(quarantine, {0}))
    assert files(tmp_path) == before


def test_names_that_no_terminal_likes_are_copied_too(source, tmp_path):
    name = os.fsdecode(b"a/\xff\n\x1b[31m.png")
    shutil.copy(source / "2.png", source / name)
    images = PictureRows(folder=source, names=[name], shape=SHAPE, input_range="0-1")
    quarantine = Quarantine(folder=tmp_path / "bad", images=images, input_range="0-1")
    quarantine.keep(found(quarantine, {0}))
    assert (quarantine.folder / name).read_bytes() == (source / name).read_bytes()


def test_a_new_or_empty_folder_will_do(pictures, source):
    checked(pictures, source)
    pictures.folder.mkdir()
    checked(pictures, source)


def test_a_folder_that_holds_something_will_do_only_if_that_was_said(pictures, source):
    pictures.folder.mkdir()
    (pictures.folder / "2.png").touch()
    with pytest.raises(OutputError, match=r"OutputExists.*not empty.*--overwrite"):
        checked(pictures, source)
    checked(pictures, source, filled=True)


@pytest.mark.parametrize("place", [".", "bad", "a/b", "..", "../photos"])
def test_a_folder_that_is_screened_or_holds_what_is_screened_is_refused(pictures, source, place):
    inside = Quarantine(folder=source / place, images=pictures.images, input_range="0-1")
    with pytest.raises(OptionError, match="QuarantineInside"):
        checked(inside, source, filled=True)


def test_a_link_to_the_screened_folder_is_found_out(pictures, source, tmp_path):
    (tmp_path / "bad").symlink_to(source)
    with pytest.raises(OptionError, match="QuarantineInside"):
        checked(pictures, source, filled=True)


def test_images_that_png_cannot_show_are_refused_before_the_run(tmp_path):
    quarantine = arrays(tmp_path, PIXELS[..., :2])
    with pytest.raises(OptionError, match=r"ShapeMismatch.*the images have 2"):
        checked(quarantine, tmp_path / "f.npy", shape=(5, 4, 2))


def test_a_file_in_its_place_and_a_folder_that_is_not_there_are_refused(pictures, source):
    pictures.folder.touch()
    with pytest.raises(OutputError, match="NotAFolder"):
        checked(pictures, source)
    lost = Quarantine(
        folder=pictures.folder.parent / "x" / "y", images=pictures.images, input_range="0-1"
    )
    with pytest.raises(OutputError, match="OutputFolderMissing"):
        checked(lost, source)
