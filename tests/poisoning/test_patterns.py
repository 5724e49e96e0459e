"""Trigger pictures are what their names say, and lie where their positions say."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from badrepair.errors import DataError, InputMissingError, OptionError
from badrepair.poisoning.patterns import BUILT_IN, PLACES, pattern, placed


def saved(path, pixels, mode):
    """Save pixels as a picture and return its name."""
    Image.fromarray(np.array(pixels, np.uint8), mode).save(path)
    return str(path)


def test_the_checkerboard_is_the_one_of_the_demo():
    board = 255 * (np.indices((4, 4)).sum(axis=0)[..., None] % 2)
    picture, opacity = pattern("checkerboard", 4, 1)
    assert np.array_equal(picture, board)
    assert np.array_equal(opacity, np.ones((4, 4, 1)))
    assert placed("bottom-right", 1, picture.shape, (24, 24, 1)) == (19, 19)


def test_the_square_is_white_and_covers_all():
    picture, opacity = pattern("square", 2, 3)
    assert np.all(picture == 255)
    assert np.all(opacity == 1)


def test_the_cross_covers_its_diagonals_only():
    picture, opacity = pattern("cross", 3, 1)
    assert np.all(picture == 255)
    assert opacity[..., 0].tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_pattern_has_the_size_and_the_channels_that_are_asked(name, channels):
    picture, opacity = pattern(name, 5, channels)
    assert (picture.shape, opacity.shape) == ((5, 5, channels), (5, 5, 1))
    assert picture.dtype == opacity.dtype == np.float32


def test_a_picture_without_transparency_is_opaque_and_keeps_its_size(tmp_path):
    name = saved(tmp_path / "dots.png", [[[1, 2, 3], [4, 5, 6]]], "RGB")
    picture, opacity = pattern(name, 9, 3)
    assert picture.tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert opacity.tolist() == [[[1], [1]]]


def test_the_transparency_of_a_picture_is_its_opacity(tmp_path):
    name = saved(tmp_path / "clear.png", [[[9, 9, 9, 0], [8, 8, 8, 51], [7, 7, 7, 255]]], "RGBA")
    picture, opacity = pattern(name, 9, 3)
    assert picture[0, :, 0].tolist() == [9, 8, 7]
    assert opacity[0, :, 0] == pytest.approx([0, 0.2, 1])


def test_a_transparent_palette_entry_is_transparent(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "palette.png", transparency=0)
    picture, opacity = pattern(str(tmp_path / "palette.png"), 9, 3)
    assert picture[0].tolist() == [[10, 20, 30], [40, 50, 60]]
    assert opacity[0, :, 0].tolist() == [0, 1]


def test_grey_networks_get_the_luminance(tmp_path):
    # ITU-R 601: .299 * 200 + .587 * 100 + .114 * 50 = 124.2
    name = saved(tmp_path / "dot.png", [[[200, 100, 50]]], "RGB")
    assert pattern(name, 9, 1)[0].tolist() == [[[124]]]


def test_a_grey_picture_is_grey_in_every_channel(tmp_path):
    name = saved(tmp_path / "grey.png", [[7, 8]], "L")
    assert pattern(name, 9, 3)[0].tolist() == [[[7] * 3, [8] * 3]]


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(
        OptionError, match="checkerboard, square, cross or a picture file"
    ) as caught:
        pattern("chessboard", 4, 1)
    assert caught.value.where == "--trigger"


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(InputMissingError):
        pattern(str(tmp_path / "none.png"), 4, 1)


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(DataError, match="expected PNG"):
        pattern(str(tmp_path / "text.png"), 4, 1)


def test_a_pattern_without_pixels_is_refused():
    with pytest.raises(OptionError, match="--size: expected 1 or more, found 0"):
        pattern("square", 0, 1)


@pytest.mark.parametrize(
    ("position", "margin", "expected"),
    [
        ("top-left", 0, (0, 0)),
        ("top-left", 2, (2, 2)),
        ("top-right", 2, (2, 47 - 4 - 2)),
        ("bottom-left", 2, (55 - 3 - 2, 2)),
        ("bottom-right", 0, (52, 43)),
        ("center", 9, (26, 22)),  # 52 / 2 and 43 / 2, halves to the even neighbour
        ("0,0", 9, (0, 0)),
        ("5, 7", 9, (5, 7)),
        ("-3,-4", 9, (52, 43)),
        ("-55,-47", 0, (0, 0)),
        ("1,-5", 0, (1, 42)),
    ],
)
def test_a_picture_lies_where_its_position_says(position, margin, expected):
    assert placed(position, margin, (3, 4, 1), (55, 47, 3)) == expected


@pytest.mark.parametrize("place", PLACES)
def test_a_picture_as_large_as_the_image_fits_anywhere(place):
    assert placed(place, 0, (55, 47, 3), (55, 47, 3)) == (0, 0)


@pytest.mark.parametrize(
    ("position", "margin"),
    [("53,0", 0), ("0,44", 0), ("-2,0", 0), ("-56,0", 0), ("top-left", 53), ("bottom-right", 53)],
)
def test_what_would_leave_the_image_is_refused(position, margin):
    with pytest.raises(OptionError, match=r"inside the 55 x 47 image, found 3 x 4 at") as caught:
        placed(position, margin, (3, 4, 1), (55, 47, 3))
    assert (caught.value.code, caught.value.where) == ("OptionInvalid", "--position")


@pytest.mark.parametrize("position", ["middle", "", "1", "1,2,3", "1;2", "1.5,2"])
def test_a_position_that_is_none_is_refused_with_the_known_ones(position):
    with pytest.raises(OptionError, match=r"top-left, .*center or ROW,COLUMN, found"):
        placed(position, 0, (3, 4, 1), (55, 47, 3))
