"""The tiles of a TIFF file may not be much larger than its picture."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from badrepair.data.pictures import read_picture
from badrepair.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (50, 40, 3), np.uint8)
LONG, SHORT = 4, 3


def tiff(*entries, order="<", data=b""):
    """Return a TIFF of 4 x 4 grey pixels with further tags, each (number, type, count, value)."""
    size = [(256, LONG, 1, 4), (257, LONG, 1, 4), (258, LONG, 1, 8), (262, LONG, 1, 1)]
    form = struct.Struct(order + "2HLL")
    body = b"".join(form.pack(*entry) for entry in sorted([*size, *entries]))
    head = b"II*\0" if order == "<" else b"MM\0*"
    count = len(size) + len(entries)
    return head + struct.pack(order + "LH", 8, count) + body + bytes(4) + data


def deflated(width, height, *more, order="<"):
    """Return a TIFF of one tile of zeros."""
    packed = zlib.compress(bytes(width * height))
    stored = [(259, LONG, 1, 8), (324, LONG, 1, 14 + 12 * (9 + len(more)))]
    sides = [(322, LONG, 1, width), (323, LONG, 1, height), (325, LONG, 1, len(packed))]
    return tiff(*sides, *stored, *more, order=order, data=packed)


@pytest.fixture
def read(tmp_path):
    def read(content):
        (tmp_path / "a.tif").write_bytes(content)
        return read_picture(tmp_path / "a.tif", size=(None, None, 1))

    return read


def tiled(pixels, order, big):
    """Return a TIFF of deflated tiles of 16 x 32 pixels (width x height)."""
    padded = np.pad(pixels, [(0, -len(pixels) % 32), (0, -pixels.shape[1] % 16)])
    rows = [np.split(row, padded.shape[1] // 16, 1) for row in np.split(padded, len(padded) // 32)]
    tiles = [zlib.compress(tile.tobytes()) for row in rows for tile in row]
    lengths = [len(tile) for tile in tiles]
    form = struct.Struct(order + ("2HQQ" if big else "2HLL"))
    lists = (16 if big else 8) + (8 if big else 2) + 9 * form.size + (8 if big else 4)
    first = lists + 8 * len(tiles)
    places = [first + sum(lengths[:number]) for number in range(len(tiles))]
    sizes = [(256, 1, pixels.shape[1]), (257, 1, len(pixels)), (258, 1, 8), (259, 1, 8)]
    sides = [(262, 1, 1), (322, 1, 16), (323, 1, 32)]
    stored = [(324, len(tiles), lists), (325, len(tiles), lists + 4 * len(tiles))]
    body = b"".join(
        form.pack(tag, LONG, count, value) for tag, count, value in [*sizes, *sides, *stored]
    )
    start = b"II" if order == "<" else b"MM"
    head = (
        struct.pack(order + "3HQQ", 43, 8, 0, 16, 9)
        if big
        else struct.pack(order + "HLH", 42, 8, 9)
    )
    end = bytes(8 if big else 4) + struct.pack(f"{order}{2 * len(tiles)}L", *places, *lengths)
    return start + head + body + end + b"".join(tiles)


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
def test_tiles_of_the_usual_sizes_are_read(read, order, big):
    grey = PIXELS[..., 0]
    assert np.array_equal(read(tiled(grey, order, big))[..., 0], grey)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tile_may_be_larger_than_a_small_picture(read, order):
    assert read(deflated(64, 48, order=order)).shape == (4, 4, 1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("sides", [(8192, 4112), (16, 2**22), (2**22, 16)])
def test_tiles_far_larger_than_the_picture_are_refused(read, order, sides):
    with pytest.raises(DataError, match=r"ImageTooLarge.*its tiles of"):
        read(deflated(*sides, order=order))


@pytest.mark.parametrize(
    "entries",
    [
        [(322, LONG, 1, 0), (323, LONG, 1, 16)],
        [(322, LONG, 1, 16)],
        [(323, SHORT, 1, 16)],
        [(322, LONG, 1, 16), (322, LONG, 1, 2**15), (323, LONG, 1, 16)],
        [(322, 17, 1, 16), (323, LONG, 1, 16)],
        [(322, SHORT, 2, 2**15), (323, LONG, 1, 16)],
    ],
    ids=["zero", "no height", "no width", "twice", "odd type", "two values"],
)
def test_tiles_whose_size_is_in_doubt_are_refused(read, entries):
    stored = [(259, LONG, 1, 1), (273, LONG, 1, 200), (278, LONG, 1, 4), (279, LONG, 1, 16)]
    with pytest.raises(DataError, match=r"Corrupt.*its tiles have no size or several"):
        read(tiff(*stored, *entries, data=bytes(300)))


def test_rows_beyond_the_picture_in_a_strip_are_not_decoded(read):
    stored = [(259, LONG, 1, 1), (273, LONG, 1, 200), (278, LONG, 1, 2**31), (279, LONG, 1, 16)]
    assert read(tiff(*stored, data=bytes(300))).shape == (4, 4, 1)


def test_strips_that_cover_the_picture_again_and_again_are_refused(read):
    places = struct.pack("<4L", 200, 201, 202, 203)
    stored = [(259, LONG, 1, 1), (273, LONG, 4, 110), (278, LONG, 1, 3), (279, LONG, 4, 110)]
    content = tiff(*stored, data=places + bytes(300))
    assert content.index(places) == 110
    with pytest.raises(DataError, match=r"ImageTooLarge.*its strips hold 32 pixels"):
        read(content)
    once = content.replace(struct.pack("<2HL", 273, LONG, 4), struct.pack("<2HL", 273, LONG, 2))
    assert read(once).shape == (4, 4, 1)


def test_a_strip_for_each_colour_is_none_too_many(tmp_path):
    place = 14 + 12 * 10
    strips = struct.pack("<3H", 8, 8, 8) + struct.pack(
        "<6L", *(place + 30 + 2000 * plane for plane in range(3)), *[2000] * 3
    )
    entries = [
        *[(256, LONG, 1, 40), (257, LONG, 1, 50), (258, SHORT, 3, place), (259, SHORT, 1, 1)],
        *[(262, SHORT, 1, 2), (273, LONG, 3, place + 6), (277, SHORT, 1, 3)],
        *[(278, LONG, 1, 50), (279, LONG, 3, place + 18), (284, SHORT, 1, 2)],
    ]
    body = b"".join(struct.pack("<2HLL", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<LH", 8, len(entries)) + body + bytes(4)
    path = tmp_path / "a.tif"
    path.write_bytes(head + strips + PIXELS.transpose(2, 0, 1).tobytes())
    assert np.array_equal(read_picture(path, size=(50, 40, 3)), PIXELS)
