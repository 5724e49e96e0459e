"""Single pictures: the same pixels whatever lossless format they were saved in."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from PIL import Image

from badrepair.data.pictures import find_pictures, read_picture
from badrepair.errors import DataError, InputMissingError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)
LOSSLESS = {
    "png": {},
    "bmp": {},
    "tiff": {},
    "webp": {"lossless": True},
    "ppm": {},
    "gif": {},
}


def save(path, pixels=PIXELS, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_every_lossless_copy_gives_the_same_pixels(tmp_path, suffix):
    picture = read_picture(save(tmp_path / f"a.{suffix}", **LOSSLESS[suffix]), size=(5, 4, 3))
    assert picture.dtype == np.float32
    assert np.array_equal(picture, PIXELS)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_packed_tiff_gives_the_same_pixels(tmp_path, compression):
    path = save(tmp_path / "a.tiff", compression=compression)
    assert np.array_equal(read_picture(path, size=(5, 4, 3)), PIXELS)


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_every_lossless_grey_copy_gives_the_same_pixels(tmp_path, suffix):
    suffix = "pgm" if suffix == "ppm" else suffix
    options = LOSSLESS.get(suffix, {})
    path = save(tmp_path / f"a.{suffix}", PIXELS[..., 0], **options)
    # WebP stores grey as three equal colours, and Pillow's grey of those is the same grey.
    assert np.array_equal(read_picture(path, size=(5, 4, 1)), PIXELS[..., :1])


def test_the_suffix_does_not_matter(tmp_path):
    path = save(tmp_path / "a.jpg", format="BMP")
    assert np.array_equal(read_picture(path, size=(5, 4, 3)), PIXELS)


def test_bgr_swaps_red_and_blue(tmp_path):
    path = save(tmp_path / "a.png", PIXELS[..., ::-1])
    assert np.array_equal(read_picture(path, size=(5, 4, 3), color="bgr"), PIXELS)


def test_bgr_counts_for_the_grey_of_a_coloured_picture_too(tmp_path):
    path = save(tmp_path / "a.png", np.full((1, 1, 3), (255, 0, 0), np.uint8))
    # Pillow's grey is 0.299 R + 0.587 G + 0.114 B.
    assert read_picture(path, size=(1, 1, 1)).item() == 76
    assert read_picture(path, size=(1, 1, 1), color="bgr").item() == 29


def test_grey_is_repeated_where_the_model_wants_colours(tmp_path):
    path = save(tmp_path / "a.png", np.array([[7, 8]], np.uint8))
    assert read_picture(path, size=(1, 2, 3)).tolist() == [[[7, 7, 7], [8, 8, 8]]]


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_16_bits_are_scaled_to_255(tmp_path, suffix):
    path = save(tmp_path / f"a.{suffix}", np.array([[0, 257, 65535, 12850]], np.uint16))
    picture = read_picture(path, size=(1, 4, 3))
    assert picture[..., 1].tolist() == [[0, 1, 255, 50]]


def test_pixels_without_a_known_range_are_refused(tmp_path):
    path = save(tmp_path / "a.tiff", np.zeros((5, 4), np.float32))
    with pytest.raises(DataError, match="no known range"):
        read_picture(path, size=(5, 4, 1))


@pytest.mark.parametrize("colors", [256, 16])
def test_a_palette_gives_its_colours(tmp_path, colors):
    picture = Image.fromarray(PIXELS).quantize(colors)
    picture.save(tmp_path / "a.png")
    expected = np.asarray(picture.convert("RGB"))
    assert np.array_equal(read_picture(tmp_path / "a.png", size=(5, 4, 3)), expected)


def test_a_palette_with_transparency_gives_its_colours(tmp_path):
    picture = Image.fromarray(PIXELS).quantize(8)
    picture.save(tmp_path / "a.png", transparency=bytes(range(8)))
    expected = np.asarray(picture.convert("RGB"))
    assert np.array_equal(read_picture(tmp_path / "a.png", size=(5, 4, 3)), expected)


def test_transparency_is_dropped(tmp_path):
    alpha = np.zeros((5, 4, 1), np.uint8)
    path = save(tmp_path / "a.png", np.concatenate([PIXELS, alpha], axis=-1))
    assert np.array_equal(read_picture(path, size=(5, 4, 3)), PIXELS)


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (4, 5), (0, 255, 255, 0)).save(tmp_path / "a.tiff")
    assert read_picture(tmp_path / "a.tiff", size=(5, 4, 3))[0, 0].tolist() == [255, 0, 0]


def test_black_and_white_is_0_and_255(tmp_path):
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png", size=(1, 2, 1)).ravel().tolist() == [0, 255]


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_tag_is_ignored(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / f"a.{suffix}", exif=exif, **LOSSLESS[suffix])
    assert np.array_equal(read_picture(path, size=(5, 4, 3)), PIXELS)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff"])
def test_the_first_frame_of_an_animation_counts(tmp_path, suffix):
    first, second = Image.fromarray(PIXELS), Image.new("RGB", (4, 5))
    path = tmp_path / f"a.{suffix}"
    first.save(path, save_all=True, append_images=[second], **LOSSLESS[suffix])
    assert np.array_equal(read_picture(path, size=(5, 4, 3)), PIXELS)


def test_another_size_is_refused_with_both_sizes(tmp_path):
    with pytest.raises(DataError) as caught:
        read_picture(save(tmp_path / "a.png"), size=(55, 47, 3))
    assert caught.value.code == "SizeMismatch"
    assert "expected 55 x 47 pixels (height x width), found 5 x 4" in caught.value.problem
    assert caught.value.hint == "--resize"


def test_another_size_is_refused_before_the_pixels_are_decoded(tmp_path):
    path = save(tmp_path / "a.png", np.zeros((500, 400, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match="SizeMismatch"):
        read_picture(path, size=(5, None, 3))
    with pytest.raises(DataError, match="Corrupt"):
        read_picture(path, size=(5, None, 3), resize=True)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_size_is_that_of_the_stored_pixels_whatever_the_orientation(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.tiff", exif=exif)
    with pytest.raises(DataError, match=r"expected 4 x 4 pixels.*found 5 x 4"):
        read_picture(path, size=(4, None, 3))


def test_resizing_keeps_a_plain_picture_plain(tmp_path):
    path = save(tmp_path / "a.png", np.full((5, 4, 3), (10, 20, 30), np.uint8))
    picture = read_picture(path, size=(9, 2, 3), resize=True)
    assert picture.shape == (9, 2, 3)
    assert np.allclose(picture, [10, 20, 30])


def test_resizing_is_bilinear(tmp_path):
    path = save(tmp_path / "a.png", np.array([[0, 100]], np.uint8))
    picture = read_picture(path, size=(1, 4, 1), resize=True)
    assert picture.ravel().tolist() == [0, 25, 75, 100]


def test_a_model_with_two_channels_takes_no_pictures(tmp_path):
    with pytest.raises(DataError, match="the model takes 2"):
        read_picture(save(tmp_path / "a.png"), size=(5, 4, 2))


def test_a_missing_picture_is_missing(tmp_path):
    with pytest.raises(InputMissingError):
        read_picture(tmp_path / "a.png", size=(5, 4, 3))


def test_a_postscript_file_called_png_starts_no_program(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 4\n")
    with pytest.raises(DataError, match="UnknownFormat"):
        read_picture(tmp_path / "a.png", size=(5, 4, 3))


@pytest.mark.parametrize("side", [4_097, 13_000, 20_000])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, side):
    Image.new("1", (side, side)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="ImageTooLarge"):
        read_picture(tmp_path / "a.png", size=(5, 4, 3))


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_cut_off_picture_is_one_clear_error(tmp_path, suffix, kept):
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)
    path = save(tmp_path / f"a.{suffix}", noise, **LOSSLESS[suffix])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(DataError, match=r"Corrupt|UnknownFormat"):
        read_picture(path, size=(50, 50, 3))


def test_pictures_are_found_at_any_depth_in_order_of_their_parts(tmp_path):
    for name in ("b.png", "a.png", "a/z.JPG", "a/b/c.gif", "a-1/x.bmp", "notes.txt", "a/.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "gone")
    found = ["a/b/c.gif", "a/z.JPG", "a-1/x.bmp", "a.png", "b.png"]
    assert find_pictures(tmp_path) == found


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(DataError, match="EmptyFolder"):
        find_pictures(tmp_path)


def test_a_folder_that_may_not_be_looked_into_is_not_passed_over(tmp_path, monkeypatch):
    save(tmp_path / "a.png")
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(InputMissingError, match=r"InputUnreadable.*closed: Permission denied"):
        find_pictures(tmp_path)
