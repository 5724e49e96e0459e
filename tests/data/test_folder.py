"""A folder of class sub-folders."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from badrepair.data import folder
from badrepair.errors import DataError


def save(path, value, size=(4, 3), mode="L"):
    """Write a picture of one colour; `size` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def test_whole_numbers_are_the_labels(tmp_path):
    for label in (10, 2):
        save(tmp_path / str(label) / "a.png", label)
    raw = folder.read(tmp_path)
    values = raw.images[:][:, 0, 0, 0]
    assert sorted(zip(raw.labels.tolist(), values.tolist(), strict=True)) == [(2, 2), (10, 10)]
    assert raw.class_names is None


def test_other_names_are_numbered_in_sorted_order(tmp_path):
    for value, name in enumerate(["ann", "bob", "7"]):
        save(tmp_path / name / "a.png", value)
    raw = folder.read(tmp_path)
    assert raw.class_names == ("7", "ann", "bob")
    assert raw.labels.tolist() == [0, 1, 2]
    assert raw.images[:][:, 0, 0, 0].tolist() == [2, 0, 1]


def test_an_empty_class_keeps_its_number(tmp_path):
    save(tmp_path / "c" / "a.png", 1)
    (tmp_path / "b").mkdir()
    save(tmp_path / "a" / "a.png", 1)
    assert folder.read(tmp_path).labels.tolist() == [0, 2]


def test_rows_are_read_by_slices_and_lists_in_the_order_of_names(tmp_path):
    for value in range(6):
        save(tmp_path / "0" / f"{value}.png", value)
    images = folder.read(tmp_path).images
    assert images.shape == (6, 3, 4, 1)
    assert images[2:4][:, 0, 0, 0].tolist() == [2, 3]
    assert images[np.array([5, 0, 5])][:, 0, 0, 0].tolist() == [5, 0, 5]


def test_one_coloured_picture_makes_all_three_channels(tmp_path):
    save(tmp_path / "0" / "a.png", 9)
    save(tmp_path / "0" / "b.png", (1, 2, 3), mode="RGB")
    images = folder.read(tmp_path).images
    assert images.shape == (2, 3, 4, 3)
    assert images[:][:, 0, 0].tolist() == [[9, 9, 9], [1, 2, 3]]


def test_jpeg_is_read_whatever_its_suffix(tmp_path):
    (tmp_path / "0").mkdir()
    Image.new("L", (4, 3), 77).save(tmp_path / "0" / "a.png", format="JPEG")
    assert folder.read(tmp_path).images[:][0, 0, 0, 0] == 77


def test_system_files_are_skipped_however_many_there_are(tmp_path):
    save(tmp_path / "0" / "a.png", 1)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._a.png"):
        (tmp_path / "0" / name).write_bytes(b"junk")
    (tmp_path / ".git").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    assert len(folder.read(tmp_path).images) == 1


def test_a_tenth_of_other_files_is_skipped_but_not_more(tmp_path):
    for value in range(9):
        save(tmp_path / "0" / f"{value}.png", value)
    (tmp_path / "0" / "notes.txt").write_text("nine faces")
    assert len(folder.read(tmp_path).images) == 9
    (tmp_path / "0" / "more.png").write_text("not a picture")
    with pytest.raises(DataError, match=r"NotPictures.*2 of 11 files"):
        folder.read(tmp_path)


def test_pictures_without_class_folders_are_refused(tmp_path):
    save(tmp_path / "a.png", 1)
    with pytest.raises(DataError, match="NoClassFolders"):
        folder.read(tmp_path)


def test_the_picture_of_another_size_is_named(tmp_path):
    save(tmp_path / "0" / "a.png", 1)
    save(tmp_path / "1" / "odd.png", 1, size=(4, 5))
    with pytest.raises(DataError, match=r"SizeMismatch.*odd\.png: 5 x 4 pixels.*have 3 x 4"):
        folder.read(tmp_path)


def test_two_folders_of_one_class_are_refused(tmp_path):
    save(tmp_path / "1" / "a.png", 1)
    save(tmp_path / "01" / "a.png", 1)
    with pytest.raises(DataError, match="ClassTwice"):
        folder.read(tmp_path)


def test_links_out_of_the_folder_are_refused_and_links_inside_followed(tmp_path):
    save(tmp_path / "elsewhere" / "a.png", 1)
    save(tmp_path / "faces" / "0" / "a.png", 2)
    (tmp_path / "faces" / "0" / "b.png").symlink_to("a.png")
    assert folder.read(tmp_path / "faces").images[:][:, 0, 0, 0].tolist() == [2, 2]
    (tmp_path / "faces" / "0" / "c.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    with pytest.raises(DataError, match=r"LinkRefused.*c\.png"):
        folder.read(tmp_path / "faces")


def test_a_class_folder_that_is_a_link_outwards_is_refused(tmp_path):
    save(tmp_path / "elsewhere" / "a.png", 1)
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "0").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="LinkRefused"):
        folder.read(tmp_path / "faces")


def test_a_damaged_picture_is_named_when_it_is_read(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    (tmp_path / "0").mkdir()
    Image.fromarray(noise).save(tmp_path / "0" / "a.png")
    whole = (tmp_path / "0" / "a.png").read_bytes()
    (tmp_path / "0" / "a.png").write_bytes(whole[: len(whole) // 2])
    images = folder.read(tmp_path).images
    with pytest.raises(DataError, match=r"Corrupt.*a\.png"):
        images[:]


def test_damaged_pictures_are_left_out_if_asked_for(tmp_path, caplog):
    for value in range(3):
        save(tmp_path / "0" / f"{value}.png", value)
        save(tmp_path / "1" / f"{value}.png", value)
    whole = (tmp_path / "1" / "1.png").read_bytes()
    (tmp_path / "1" / "1.png").write_bytes(whole[:-30])
    raw = folder.read(tmp_path, skip_bad=True)
    assert raw.labels.tolist() == [0, 0, 0, 1, 1]
    assert raw.images[:][:, 0, 0, 0].tolist() == [0, 1, 2, 0, 2]
    assert "1 of 6 pictures cannot be decoded" in caplog.text


def test_links_in_a_ring_are_no_pictures(tmp_path, caplog):
    for value in range(10):
        save(tmp_path / "0" / f"{value}.png", value)
    (tmp_path / "0" / "x.png").symlink_to("x.png")
    assert len(folder.read(tmp_path).images) == 10
    assert "1 of 11 files are neither PNG nor JPEG" in caplog.text


def test_what_looks_like_an_accident_is_said(tmp_path, caplog):
    save(tmp_path / "Cat" / "a.png", 1)
    save(tmp_path / "cat" / "a.png", 2)
    (tmp_path / "dog").mkdir()
    assert folder.read(tmp_path).labels.tolist() == [0, 1]
    assert "differ in case alone: Cat, cat" in caplog.text
    assert "without a picture: dog" in caplog.text


def test_a_number_that_no_class_has_is_refused(tmp_path):
    save(tmp_path / ("9" * 100) / "a.png", 1)
    with pytest.raises(DataError, match=r"LabelRange.*no class has the number 9999"):
        folder.read(tmp_path)
