"""How many pixels are decoded for those of a TIFF file: its tiles may be larger than the picture.

The directory is read here once more, since libtiff, which unpacks tiles, takes some entries that
Pillow passes over.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from badrepair.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.TiffImagePlugin import TiffImageFile

_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 322, 323
_INTEGERS = {3: "H", 4: "L"}
_BIG = 43
# As many as libtiff reads.
_MOST_ENTRIES = 4096


def require_few_pixels(image: TiffImageFile, path: Path, most: int) -> None:
    """Refuse a picture that is small beside what is decoded for it.

    Args:
        image: As Pillow opened it, not decoded.
        path: Its file.
        most: Pixels, with those of the tiles that lie outside the picture.

    Raises:
        DataError: ImageTooLarge; Corrupt: its tiles have no size.
    """
    strips = sum(_area(tile.extents) for tile in image.tile)
    if strips > image.width * image.height * len(image.getbands()):
        raise DataError("ImageTooLarge", path, f"its strips hold {strips:,} pixels")
    widths, heights = _stated(image, path)
    if not widths and not heights:
        return
    if len(widths) != 1 or len(heights) != 1 or not widths[0] or not heights[0]:
        raise DataError("Corrupt", path, "its tiles have no size or several")
    pixels = _filled(image.tag_v2[_WIDTH], widths[0]) * _filled(image.tag_v2[_HEIGHT], heights[0])
    if pixels > most:
        problem = f"its tiles of {heights[0]} x {widths[0]} pixels (height x width) hold {pixels:,}"
        raise DataError("ImageTooLarge", path, problem)


def _area(extents: tuple[int, int, int, int] | None) -> int:
    left, top, right, bottom = extents or (0, 0, 0, 0)
    return (right - left) * (bottom - top)


def _filled(side: int, tile: int) -> int:
    return -(-side // tile) * tile


def _stated(image: TiffImageFile, path: Path) -> tuple[list[int], list[int]]:
    """Return the widths and heights of tiles in the directory; 0 stands for what is no size."""
    with path.open("rb") as file:
        head = file.read(4)
        order = "<" if head.startswith(b"II") else ">"
        number, entry = ("Q", "HHQ8s") if _BIG in head[2:] else ("H", "HHL4s")
        each = struct.Struct(order + entry)
        file.seek(image.tag_v2.offset)
        (count,) = struct.unpack(order + number, file.read(struct.calcsize(number)))
        table = file.read(min(count, _MOST_ENTRIES) * each.size)
    found: dict[int, list[int]] = {_TILE_WIDTH: [], _TILE_HEIGHT: []}
    for tag, kind, values, content in each.iter_unpack(table):
        if tag in found:
            known = kind in _INTEGERS and values == 1
            side = struct.unpack_from(order + _INTEGERS[kind], content)[0] if known else 0
            found[tag].append(side)
    return found[_TILE_WIDTH], found[_TILE_HEIGHT]
