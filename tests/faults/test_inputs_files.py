"""Rows 37 to 41 of the fault table: archives, folders, pictures and names."""

from __future__ import annotations

import os
import zipfile

import numpy as np
import pytest
from cli.terminal import assert_refused, listing, run
from PIL import Image
from quadrants import COUNT, LABELS, network, pictures

PIXELS = pictures()


@pytest.fixture
def folder(tmp_path):
    """Return a folder of class folders with the clean pictures as PNG files."""
    for row, (picture, label) in enumerate(zip(PIXELS, LABELS, strict=True)):
        path = tmp_path / "faces" / str(label) / f"{row:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[..., 0]).save(path)
    return tmp_path / "faces"


def test_fault_37_pickled_objects_are_refused(refused, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    np.savez(tmp_path / "f.npz", x=np.array([Bomb()] * COUNT), y=LABELS)
    refused(65, "PickleRefused", "x holds Python objects", clean=tmp_path / "f.npz")


def test_fault_37_a_bomb_is_refused_before_it_is_unpacked(refused, tmp_path):
    np.savez_compressed(tmp_path / "f.npz", x=np.zeros((2**17, 32, 32), np.uint8), y=LABELS)
    refused(65, "DataBomb", f"unpack to {2**27 + 128:,}", clean=tmp_path / "f.npz")


def test_fault_38_system_files_are_passed_over_in_silence_and_others_counted(measured, folder):
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / "0" / name).write_bytes(b"junk")
    assert measured(folder) == (1.0, COUNT, "")
    (folder / "1" / "notes.txt").write_text("ten faces")
    accuracy, n, err = measured(folder)
    assert (accuracy, n) == (1.0, COUNT)
    assert err == f"{folder}: 1 of 41 files are neither PNG nor JPEG; they are passed over\n"


def test_fault_38_many_other_files_are_refused(refused, folder):
    for number in range(5):
        (folder / "1" / f"{number}.txt").touch()
    refused(65, "NotPictures", "5 of 45 files", clean=folder)


def spoil(path, kind):
    """Write a bad picture."""
    whole = path.read_bytes()
    if kind == "cut off":
        path.write_bytes(whole[:-30])
    elif kind == "flipped":
        place = whole.index(b"IDAT") + 8
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    elif kind == "bomb":
        Image.new("1", (13_000, 13_000)).save(path)


@pytest.mark.parametrize(
    ("kind", "code"), [("cut off", "Corrupt"), ("flipped", "Corrupt"), ("bomb", "ImageTooLarge")]
)
def test_fault_39_a_damaged_picture_is_named_or_left_out(refused, measured, folder, kind, code):
    spoil(folder / "2" / "06.png", kind)
    refused(65, code, str(folder / "2" / "06.png"), clean=folder)
    accuracy, n, err = measured(folder, "--skip-bad")
    assert (accuracy, n) == (1.0, COUNT - 1)
    assert err == f"{folder}: 1 of 40 pictures cannot be decoded\n"


def test_fault_39_postscript_called_png_starts_no_program(measured, folder):
    (folder / "2" / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n")
    accuracy, n, err = measured(folder)
    assert (accuracy, n) == (1.0, COUNT)
    assert "1 of 41 files are neither PNG nor JPEG" in err


def as_deep(picture, path):
    Image.fromarray(picture.astype(np.uint16) * 257).save(path)


def as_alpha(picture, path):
    Image.fromarray(np.dstack([picture] * 3 + [np.zeros_like(picture)])).save(path)


def as_turned(picture, path):
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(picture).save(path, exif=exif)


def as_animated(picture, path):
    Image.fromarray(picture).save(path, save_all=True, append_images=[Image.new("L", (4, 4))])


def as_cmyk(picture, path):
    large = Image.fromarray(picture).resize((4, 4))
    large.convert("CMYK").save(path, format="JPEG", quality=100)


@pytest.mark.parametrize(
    ("save", "channels"),
    [(as_deep, 1), (as_turned, 1), (as_animated, 1), (as_alpha, 3), (as_cmyk, 3)],
)
def test_fault_39_odd_but_sound_pictures_are_read_as_what_they_show(
    measured, folder, tmp_path, save, channels
):
    for row, (picture, label) in enumerate(zip(PIXELS, LABELS, strict=True)):
        save(picture[..., 0], folder / str(label) / f"{row:02}.png")
    net = tmp_path / "net.keras"
    network(shape=(4, 4, channels)).save(net)
    assert measured(folder, model=net)[:2] == (1.0, COUNT)


def test_fault_40_a_link_out_of_the_folder_is_refused(refused, folder, tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "secret.png")
    (folder / "0" / "link.png").symlink_to(tmp_path / "secret.png")
    refused(65, "LinkRefused", str(folder / "0" / "link.png"), "copy the file in", clean=folder)


def test_fault_40_a_class_folder_without_pictures_is_told(measured, folder):
    for picture in (folder / "3").iterdir():
        picture.unlink()
    accuracy, n, err = measured(folder)
    assert (accuracy, n) == (1.0, 30)
    assert err.startswith(f"{folder}: class folders without a picture: 3\n")


def test_fault_40_class_folders_that_differ_in_case_alone_are_told(measured, folder):
    for old, new in zip("0123", ("A", "B", "a", "c"), strict=True):
        (folder / old).rename(folder / new)
    accuracy, n, err = measured(folder)
    assert (accuracy, n) == (1.0, COUNT)
    assert err == f"{folder}: class folders that differ in case alone: A, a\n"


NAMES = [
    "naïve 面.h5",
    "with space.h5",
    "new\nline.h5",
    os.fsdecode(b"no\xffutf8.h5"),
    "\x1b[31m.h5",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_fault_41_files_of_any_name_work_and_are_told_in_one_line(
    refused, measured, clean, tmp_path, name
):
    path = tmp_path / name
    path.write_bytes(clean.read_bytes())
    assert measured(path)[:2] == (1.0, COUNT)
    path.write_bytes(clean.read_bytes()[:-100])
    refused(65, "Truncated", clean=path)


def test_fault_41_a_name_that_is_too_long_is_missing(refused, tmp_path):
    refused(66, "InputMissing", clean=tmp_path / ("x" * 300))


@pytest.mark.parametrize(
    ("verb", "option"),
    [("evaluate", "--baseline"), ("prune", "--test"), ("prune", "--weights"), ("prune", "--arch")],
)
def test_fault_41_a_name_that_is_too_long_is_missing_whatever_it_is_for(
    model, clean, tmp_path, verb, option
):
    path, out = tmp_path / f"{'x' * 300}.h5", tmp_path / "out.keras"
    outcome = run(verb, "--model", model, "--clean", clean, option, path, "-o", out)
    assert_refused(outcome, 66, "InputMissing", str(path))
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        ("prune", "OutputNotWritable"),
        ("evaluate", "OutputNotWritable"),
        ("demo", "OutputNotCreatable"),
    ],
)
def test_fault_41_an_output_whose_name_is_too_long_is_refused_at_once(
    model, clean, tmp_path, verb, kind
):
    named = ("--out",) if verb == "demo" else ("--model", model, "--clean", clean, "-o")
    outcome = run(verb, *named, tmp_path / f"{'x' * 300}.keras")
    assert_refused(outcome, 73, kind, "File name too long")
    assert listing(tmp_path) == []


def test_fault_41_an_output_may_have_the_longest_name_that_there_can_be(prune, clean, tmp_path):
    outcome = prune(clean, "-o", tmp_path / f"{'x' * 249}.keras")
    assert outcome.code == 0, outcome.err
    assert len(listing(tmp_path)) == 2


def test_a_zip_that_is_no_npz_is_told_what_it_lacks(refused, tmp_path):
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("data", b"")
    refused(65, "KeyMissing", "found no key", clean=tmp_path / "f.npz")
    assert len(listing(tmp_path)) == 1
