"""Single pictures: the same pixels whatever lossless format they were saved in."""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError

from badrepair.data.jpeg_scans import require_few_scans
from badrepair.data.tiff_tiles import require_few_pixels
from badrepair.errors import BadrepairError, DataError
from badrepair.files import require_file
from badrepair.folders import files_below

if TYPE_CHECKING:
    from collections.abc import Iterator

Color = Literal["rgb", "bgr"]
Pixels = NDArray[np.float32]
Sides = tuple[int | None, int | None]

# Pillow picks an opener by content; some of its others start programs or unpack without limit.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "GIF")
# What a folder is searched for; a file that is named counts whatever its name.
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".gif"}
LARGEST_PIXELS = 4096 * 4096
# The tiles at the edges of the largest picture hold more than its own pixels.
_LARGEST_TILED = 2 * LARGEST_PIXELS
_PER_16_BIT = np.float32(65535 / 255)
# Pillow turns a TIFF by its orientation tag and no other format; each turn's way back.
_TURN_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
_ON_ITS_SIDE = range(5, 9)


def find_pictures(folder: Path) -> list[str]:
    """Return the names of the pictures in a folder of any depth, from the folder on, in order.

    Raises:
        InputMissingError: If a folder may not be looked into: nothing is passed over in silence.
        DataError: If there are none, or more than can be looked through.
    """
    pictures = (file for file in files_below(folder) if file.suffix.lower() in SUFFIXES)
    found = [str(file.relative_to(folder)) for file in pictures if file.is_file()]
    if not found:
        raise DataError("EmptyFolder", folder, "expected pictures in the folder, found none")
    return sorted(found, key=lambda name: name.split(os.sep))


def leads_out(path: Path, folder: Path) -> bool:
    """Return whether a path is a link to something outside a folder."""
    # Not path.resolve, which raises where links lead in a ring.
    real = Path(os.path.realpath(path))
    return path.is_symlink() and not real.is_relative_to(os.path.realpath(folder))


def read_picture(
    path: Path,
    *,
    size: tuple[int | None, int | None, int],
    color: Color = "rgb",
    resize: bool = False,
) -> Pixels:
    """Return a picture as float32 (H, W, C) in 0..255.

    Transparency is dropped, the orientation tag is ignored, and of an animation the first frame
    counts. 16-bit pictures are scaled, grey ones repeated where three channels are wanted, and
    coloured ones turned grey where one is.

    Args:
        path: The picture.
        size: (H, W, C) to return; None takes the picture's own; C is 1 or 3.
        color: Order of the channels in the file; "bgr" for files saved with red and blue swapped.
        resize: Whether a picture of another size is resized (bilinear) instead of refused.

    Raises:
        InputMissingError: If there is no such file.
        DataError: If it is not a picture, is damaged or has another size.
    """
    sides = (None, None) if resize else size[:2]
    pixels = decode(require_file(path), size[2], formats=FORMATS, color=color, sides=sides)
    found = pixels.shape[:2]
    height, width = (want or own for want, own in zip(size, found, strict=False))
    if (height, width) == found:
        return pixels
    planes = [Image.fromarray(np.ascontiguousarray(pixels[..., c])) for c in range(size[2])]
    smooth = Image.Resampling.BILINEAR
    resized = [np.asarray(plane.resize((width, height), smooth)) for plane in planes]
    return np.stack(resized, axis=-1)


def decode(
    path: Path,
    channels: int,
    *,
    formats: tuple[str, ...] = FORMATS,
    color: Color = "rgb",
    sides: Sides = (None, None),
) -> Pixels:
    """Return a picture as float32 (H, W, channels) in 0..255.

    Args:
        path: The picture.
        channels: 1 or 3.
        formats: Pillow's names of the formats that are allowed.
        color: Order of the channels in the file.
        sides: (H, W) that it must have, before it is decoded; None takes any.
    """
    if channels not in {1, 3}:
        problem = f"pictures have 1 or 3 channels, the model takes {channels}"
        raise DataError("ShapeMismatch", path, problem)
    with opened(path, formats) as image:
        turned = _orientation(image)
        _require_sides(image, path, sides)
        _require_decodable(image, path)
        image.load()
        upright = image.transpose(_TURN_BACK[turned]) if turned in _TURN_BACK else image
        pixels = _deep_grey(upright) if is_deep(image) else _colors(upright, channels, color)
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    return np.repeat(pixels, channels, axis=2) if pixels.shape[2] < channels else pixels


@contextmanager
def opened(path: Path, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """Open a picture without decoding it; what goes wrong then or inside is one `DataError`."""
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=formats) as image:
                if image.width * image.height > LARGEST_PIXELS:
                    raise Image.DecompressionBombError(f"{image.width} x {image.height} pixels")
                yield image
    except UnidentifiedImageError as error:
        raise DataError("UnknownFormat", path, f"expected {' or '.join(formats)}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError("ImageTooLarge", path, f"more than {LARGEST_PIXELS:,} pixels") from error
    except (BadrepairError, MemoryError):
        raise
    except Exception as error:  # decoders raise what they like on damaged files
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise DataError("Corrupt", path, f"the picture cannot be decoded: {reason}") from error


def is_deep(image: Image.Image) -> bool:
    """Return whether the picture is grey with 16 bits."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")


def is_grey(image: Image.Image) -> bool:
    """Return whether the picture has no colours."""
    return is_deep(image) or image.mode in {"1", "L", "LA", "La"}


def _require_sides(image: Image.Image, path: Path, sides: Sides) -> None:
    width, height = image.size[::-1] if _orientation(image) in _ON_ITS_SIDE else image.size
    wanted = (sides[0] or height, sides[1] or width)
    if wanted != (height, width):
        shown = f"expected {wanted[0]} x {wanted[1]} pixels (height x width)"
        raise DataError("SizeMismatch", path, f"{shown}, found {height} x {width}", "--resize")


def _require_decodable(image: Image.Image, path: Path) -> None:
    """Refuse a picture that takes far more time or memory than its size says."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        require_few_scans(path)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        require_few_pixels(image, path, _LARGEST_TILED)


def _orientation(image: Image.Image) -> int:
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 1
    return int(image.tag_v2.get(ExifTags.Base.Orientation, 1))


def _deep_grey(image: Image.Image) -> Pixels:
    return np.asarray(image).astype(np.float32) / _PER_16_BIT


def _colors(image: Image.Image, channels: int, color: Color) -> Pixels:
    if image.mode in {"I", "F"}:
        raise ValueError(f"pixels of the type {image.mode} have no known range")
    if is_grey(image):
        return np.asarray(image.convert("L"), np.float32)
    if "transparency" in image.info:
        image = image.convert("RGBA")
    plain = image.convert("RGB")
    if color == "bgr":
        plain = Image.merge("RGB", plain.split()[::-1])
    return np.asarray(plain.convert("L") if channels == 1 else plain, np.float32)
