"""Make pictures and folders that start programs, unpack without end, or lead elsewhere."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zlib

import numpy as np
from picture_bombs import scanned, tiff, tiff_of_strips, tiff_of_tiles, zeros
from PIL import Image

NOISE = np.random.default_rng(1).integers(0, 256, (64, 64), np.uint8)


def picture(content):
    """Return a maker of a file that is called .png, whatever it is."""

    def make(folder):
        (folder / "a.png").write_bytes(content() if callable(content) else content)
        return folder / "a.png"

    return make


def saved(kind, pixels=NOISE, **options):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **options)
    return content.getvalue()


def chunk(name, content):
    head = struct.pack(">I", len(content)) + name + content
    return head + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, *chunks, depth=8, color=0):
    head = struct.pack(">2I5B", width, height, depth, color, 0, 0, 0)
    body = b"".join(chunk(name, content) for name, content in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


def png_bomb():
    return png(30_000, 30_000, (b"IDAT", zeros(30_000 * 3_751)), depth=1)


def just_too_large():
    return png(4_097, 4_096, (b"IDAT", zeros(4_096 * 4_098)))


def text_bomb():
    return png(4, 4, (b"zTXt", b"a\0\0" + zeros(2**27)), (b"IDAT", zeros(20)))


def profile_bomb():
    return png(4, 4, (b"iCCP", b"a\0\0" + zeros(2**27)), (b"IDAT", zeros(20)))


def values_bomb():
    return png(64, 64, (b"IDAT", zeros(2**28)))[:-40]


def tiff_outside():
    size = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (262, 3, 1, 1)]
    return tiff(*size, (273, 4, 1, 2**31), (278, 4, 1, 64), (279, 4, 1, 4096))


def tiff_endless_tag():
    return tiff((256, 4, 2**30, 8), (257, 4, 1, 64))


def tiff_ring():
    return b"II*\0" + struct.pack("<LH", 8, 0) + struct.pack("<L", 8)


def fits():
    cards = ["SIMPLE  =                    T", "BITPIX  =                    8", "END"]
    return "".join(card.ljust(80) for card in cards).ljust(2880).encode() + gzip.compress(
        bytes(2**20)
    )


TINY = [(256, 4, 1, 4), (257, 4, 1, 4), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8)]
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n(%pipe%touch started) (w) file\n"
PSD = b"8BPS" + struct.pack(">H6xHLLHH", 1, 3, 2**30, 2**30, 8, 3)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
GIF = b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + b"\x2c" + bytes(9) + b"\2\0;"
BMP = (
    b"BM" + struct.pack("<L4xL", 60, 54) + struct.pack("<LllHHL24x", 40, 2**30, -(2**30), 1, 24, 0)
)


def cut(kind, keep=0.5, **options):
    whole = saved(kind, **options)
    return whole[: int(len(whole) * keep)]


def empty(path):
    path.touch()


def pipe(path):
    os.mkfifo(path)


def folder_of(spoil, sound=3):
    """Return a maker of a folder of two classes in which something is wrong."""

    def make(folder):
        faces = folder / "faces"
        for label in "01":
            (faces / label).mkdir(parents=True)
            for number in range(sound):
                (faces / label / f"{number}.png").write_bytes(saved("PNG", NOISE[:4, :4]))
        (folder / "secret").mkdir()
        (folder / "secret" / "secret.png").write_bytes(saved("PNG", NOISE[:4, :4]))
        spoil(faces, folder / "secret")
        return faces

    return make


def link(faces, secret):
    (faces / "0" / "x.png").symlink_to(secret / "secret.png")


def link_up(faces, secret):
    (faces / "0" / "x.png").symlink_to("../../secret/secret.png")


def class_link(faces, secret):
    (faces / "2").symlink_to(secret)


def hidden_link(faces, secret):
    (faces / "0" / ".x").symlink_to(secret)


def link_ring(faces, secret):
    (faces / "0" / "x.png").symlink_to(faces / "0" / "y.png")
    (faces / "0" / "y.png").symlink_to(faces / "0" / "x.png")


def dangling(faces, secret):
    (faces / "0" / "x.png").symlink_to(faces / "gone.png")


def pipes(faces, secret):
    for number in range(3):
        os.mkfifo(faces / "0" / f"x{number}.png")


def endless_class(faces, secret):
    (faces / ("9" * 200)).mkdir()


def class_twice(faces, secret):
    (faces / "01").mkdir()


def programs(faces, secret):
    for number in range(3):
        (faces / "0" / f"x{number}.png").write_bytes(EPS)


def bomb_inside(faces, secret):
    (faces / "0" / "x.png").write_bytes(png_bomb())


def other_size(faces, secret):
    (faces / "0" / "x.png").write_bytes(saved("PNG", NOISE))


def damaged(faces, secret):
    (faces / "0" / "x.png").write_bytes(png(4, 4, (b"IDAT", b"no deflate")))


def bare_pictures(faces, secret):
    for label in "01":
        for file in (faces / label).iterdir():
            file.rename(faces / f"{label}{file.name}")
        (faces / label).rmdir()


PICTURES = {
    "postscript-called-png": (picture(EPS), "picture", "UnknownFormat"),
    "photoshop-called-png": (picture(PSD), "picture", "UnknownFormat"),
    "svg-called-png": (picture(SVG), "picture", "UnknownFormat"),
    "fits-called-png": (picture(fits), "picture", "UnknownFormat"),
    "pickle-called-png": (picture(b"\x80\x04cos\nsystem\n."), "picture", "UnknownFormat"),
    "nothing-called-png": (picture(b""), "picture", "UnknownFormat"),
    "png-bomb": (picture(png_bomb), "picture", "ImageTooLarge"),
    "png-just-too-large": (picture(just_too_large), "picture", "ImageTooLarge"),
    "png-text-bomb": (picture(text_bomb), "picture", "Corrupt"),
    "png-profile-bomb": (picture(profile_bomb), "picture", None),
    "png-of-no-width": (picture(png(0, 4)), "picture", "UnknownFormat"),
    "png-of-endless-width": (picture(png(2**31 - 1, 1)), "picture", "ImageTooLarge"),
    "png-too-many-values": (picture(values_bomb), "picture", None),
    "png-no-values": (picture(png(64, 64)), "picture", "Corrupt"),
    "png-no-deflate": (picture(png(64, 64, (b"IDAT", b"x"))), "picture", "Corrupt"),
    "png-cut-off": (picture(lambda: cut("PNG")), "picture", "Corrupt"),
    "jpeg-cut-off": (picture(lambda: cut("JPEG")), "picture", "Corrupt"),
    "webp-cut-off": (picture(lambda: cut("WEBP")), "picture", "Corrupt"),
    "gif-screen-bomb": (picture(GIF), "picture", "ImageTooLarge"),
    "gif-cut-off": (picture(lambda: cut("GIF")), "picture", "Corrupt"),
    "bmp-bomb": (picture(BMP), "picture", "ImageTooLarge"),
    "ppm-bomb": (picture(b"P6 99999999 99999999 255\n"), "picture", "ImageTooLarge"),
    "ppm-of-letters": (picture(b"P6 4 4 0x7\n"), "picture", "Corrupt"),
    "jpeg-of-scans": (picture(lambda: scanned(8_000)), "picture", "ImageTooLarge"),
    "jpeg-of-scans-after-padding": (
        picture(lambda: scanned(8_000, before=b"\xff" * 9_999 + b"\xfe\0\6\xff\xff\xff\xff")),
        "picture",
        "ImageTooLarge",
    ),
    "jpeg-of-segments": (
        picture(lambda: scanned(1, before=b"\xff\xfe\0\2" * 20_000)),
        "picture",
        "ImageTooLarge",
    ),
    "tiff-of-a-tile": (picture(lambda: tiff_of_tiles(2**14, 2**16)), "picture", "ImageTooLarge"),
    "tiff-of-a-tile-of-odd-type": (
        picture(lambda: tiff_of_tiles(2**14, 2**14, kind=17)),
        "picture",
        "Corrupt",
    ),
    "tiff-of-a-tile-told-twice": (
        picture(lambda: tiff_of_tiles(2**14, 2**14, (322, 4, 1, 16))),
        "picture",
        "Corrupt",
    ),
    "tiff-of-tall-tiles": (
        picture(lambda: tiff_of_tiles(16, 2**21, side=4096)),
        "picture",
        "ImageTooLarge",
    ),
    "tiff-of-no-tiles": (picture(lambda: tiff((322, 3, 1, 0), *TINY)), "picture", "Corrupt"),
    "tiff-of-strips-again-and-again": (
        picture(lambda: tiff_of_strips(300)),
        "picture",
        "ImageTooLarge",
    ),
    "tiff-values-outside": (picture(tiff_outside), "picture", "Corrupt"),
    "tiff-endless-tag": (picture(tiff_endless_tag), "picture", "UnknownFormat"),
    "tiff-ring": (picture(tiff_ring), "picture", "UnknownFormat"),
    "folder-link-out": (folder_of(link), "data", "LinkRefused"),
    "folder-link-up": (folder_of(link_up), "data", "LinkRefused"),
    "folder-class-link": (folder_of(class_link), "data", "LinkRefused"),
    "folder-hidden-link": (folder_of(hidden_link), "data", "LinkRefused"),
    "folder-link-ring": (folder_of(link_ring), "data", "NotPictures"),
    "folder-dangling-link": (folder_of(dangling), "data", "NotPictures"),
    "folder-pipes": (folder_of(pipes), "data", "NotPictures"),
    "folder-endless-class": (folder_of(endless_class), "data", "LabelRange"),
    "folder-class-twice": (folder_of(class_twice), "data", "ClassTwice"),
    "folder-programs": (folder_of(programs), "data", "NotPictures"),
    "folder-bomb": (folder_of(bomb_inside), "data", "ImageTooLarge"),
    "folder-other-size": (folder_of(other_size), "data", "SizeMismatch"),
    "folder-damaged": (folder_of(damaged), "data", "Corrupt"),
    "folder-no-classes": (folder_of(bare_pictures), "data", "NoClassFolders"),
}
