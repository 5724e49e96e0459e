"""Make small TIFF and JPEG files that take long, or much memory, to decode."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def zeros(count):
    return zlib.compress(bytes(count), 9)


def tiff(*entries):
    """Return a TIFF with these tags, each (number, type, count, value)."""
    body = b"".join(struct.pack("<2HLL", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<LH", 8, len(entries)) + body + bytes(4)


def tiff_of_tiles(width, height, *more, kind=4, side=64):
    """Return a deflated TIFF whose tiles all lie in one place, of zeros."""
    packed = zeros(width * height)
    count = -(-side // width) * -(-side // height)
    place = 8 + 2 + 12 * (9 + len(more)) + 4
    sizes, places = (struct.pack(f"<{count}L", *[n] * count) for n in (len(packed), place))
    at = [place + len(packed), place + len(packed) + len(places)]
    if count == 1:
        at = [place, len(packed)]
    sides = [(322, kind, 1, width), (323, 4, 1, height)]
    head = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1)]
    stored = [(324, 4, count, at[0]), (325, 4, count, at[1])]
    return tiff(*head, *sides, *more, *stored) + packed + places + sizes


def tiff_of_strips(times, side=4096):
    """Return a TIFF of one bit a pixel whose two strips are named again and again."""
    place = 8 + 2 + 12 * 7 + 4
    values = place + 16 * times
    places = struct.pack(f"<{2 * times}L", *range(values, values + 2 * times))
    sizes = struct.pack(f"<{2 * times}L", *[1] * (2 * times))
    head = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 1), (262, 3, 1, 1)]
    stored = [(273, 4, 2 * times, place), (278, 4, 1, side - 1), (279, 4, 2 * times, place)]
    return tiff(*head, *stored) + places + sizes + bytes(side * side // 8 + 2 * times)


def scanned(times, side=4096, before=b"", after=b""):
    """Return a progressive JPEG whose last scan is there again and again."""
    content = io.BytesIO()
    Image.new("L", (side, side), 77).save(content, "JPEG", progressive=True)
    whole = content.getvalue()
    last = whole.rindex(b"\xff\xda")
    head, scan, end = whole[:2] + before + whole[2:last], whole[last:-2], whole[-2:]
    return head + scan * times + end + after
