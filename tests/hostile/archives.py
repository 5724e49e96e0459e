"""`.keras` files that are bombs, lead out of their folder, or are two files in one."""

from __future__ import annotations

import io
import stat
import zipfile

import h5py
import numpy as np
from honest import CONFIG, METADATA, WEIGHTS, as_bytes, as_keras, members, saved

UNSAFE, DAMAGED = "ZipUnsafe", "Truncated"
MIB = 2**20
LINK = stat.S_IFLNK << 16


def archive(folder, *more, change=lambda file: None, packing=zipfile.ZIP_STORED, **instead):
    """Write the honest members and more: (name or ZipInfo, content)."""
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w", packing) as file:
        for name, content in members().items():
            file.writestr(name, instead.get(name.split(".")[0], content))
        for name, content in more:
            file.writestr(name, content)
        change(file)
    return path


def zeros(folder, name, mebibytes, parts=1):
    """Add members of zeros, packed a thousand to one."""

    def add(file):
        for part in range(parts):
            info = zipfile.ZipInfo(f"{name}{part or ''}")
            info.compress_type = zipfile.ZIP_DEFLATED
            with file.open(info, "w") as member:
                for _ in range(mebibytes):
                    member.write(bytes(MIB))

    return archive(folder, change=add)


def spaced(folder):
    """Pack a description with 400 MiB of spaces in front."""
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        with file.open(CONFIG, "w") as member:
            for _ in range(400):
                member.write(b" " * MIB)
            member.write(members()[CONFIG])
        file.writestr(METADATA, members()[METADATA])
        file.writestr(WEIGHTS, members()[WEIGHTS])
    return path


def mode(name, attributes):
    info = zipfile.ZipInfo(name)
    info.external_attr = attributes
    return info


def without(folder, name):
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w") as file:
        for own, content in members().items():
            if own != name:
                file.writestr(own, content)
    return path


def patched(folder, find, replace, *, last=False):
    """Replace bytes of the honest archive, the first or the last such."""
    content = as_keras(folder).read_bytes()
    at = content.rindex(find) if last else content.index(find)
    return as_bytes(folder, "model.keras", content[:at] + replace + content[at + len(find) :])


def cut(folder, part):
    content = as_keras(folder).read_bytes()
    return as_bytes(folder, "model.keras", content[: int(len(content) * part)])


def flagged(folder):
    """Say in the directory that a member is encrypted."""
    content = bytearray(as_keras(folder).read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 8] |= 1
    return as_bytes(folder, "model.keras", bytes(content))


def wrong_checksum(folder):
    content = bytearray(as_keras(folder).read_bytes())
    at = content.index(b"TREE")
    content[at + 1] ^= 1
    return as_bytes(folder, "model.keras", bytes(content))


def behind_user_block(folder):
    """Put an archive into the user block of an HDF5 file: both readers find what is theirs."""
    stream = io.BytesIO()
    with h5py.File(stream, "w", userblock_size=512) as file:
        file["data"] = np.zeros(3)
    content = bytearray(stream.getvalue())
    content[:4] = b"PK\x03\x04"
    return as_bytes(folder, "model.keras", bytes(content) + as_keras(folder).read_bytes())


def two(folder, name, first, second):
    return as_bytes(folder, name, first + second)


def twice(name):
    """Store a member a second time."""
    return lambda folder: _quietly(lambda: archive(folder, (name, members()[name])))


def _quietly(make):
    import warnings

    with warnings.catch_warnings(action="ignore"):
        return make()


FILES = {
    "description of 400 MiB of spaces": (spaced, UNSAFE),
    "bomb in the assets": (lambda f: zeros(f, "assets/layers/a", 200, 2), UNSAFE),
    "bomb beside the members": (lambda f: zeros(f, "bomb.bin", 100), UNSAFE),
    "member that goes up": (lambda f: archive(f, ("../../evil.py", b"x")), UNSAFE),
    "member at the root": (lambda f: archive(f, ("/etc/cron.d/evil", b"x")), UNSAFE),
    "member that goes up in Windows": (lambda f: archive(f, ("..\\evil.py", b"x")), UNSAFE),
    "member that colours the terminal": (lambda f: archive(f, ("\x1b[31m", b"x")), UNSAFE),
    "member that is a link": (lambda f: archive(f, (mode("assets/a", LINK), "/etc")), UNSAFE),
    "description that is a link": (
        lambda f: archive(f, config="/etc/passwd"),
        "ConfigInvalid",
    ),
    "member that is a folder": (lambda f: archive(f, ("config.json/", b"")), UNSAFE),
    "one member too many": (lambda f: archive(f, ("evil.py", b"x")), UNSAFE),
    "pickled weights": (lambda f: archive(f, ("model.weights.npz", b"x")), UNSAFE),
    "ten thousand members": (
        lambda f: archive(f, *((f"{number}", b"") for number in range(10_000))),
        UNSAFE,
    ),
    "two descriptions": (twice(CONFIG), UNSAFE),
    "two weights": (twice(WEIGHTS), UNSAFE),
    "encrypted member": (flagged, UNSAFE),
    "packed with bzip2": (lambda f: as_keras(f, packing=zipfile.ZIP_BZIP2), UNSAFE),
    "packed with lzma": (lambda f: as_keras(f, packing=zipfile.ZIP_LZMA), UNSAFE),
    "archive cut off at a tenth": (lambda f: cut(f, 0.1), DAMAGED),
    "archive cut off at nine tenths": (lambda f: cut(f, 0.9), DAMAGED),
    "archive without its last byte": (lambda f: cut(f, 0.99999), DAMAGED),
    "member under two names": (
        lambda f: patched(f, b"config.json", b"donfig.json"),
        DAMAGED,
    ),
    "weights under two names": (
        lambda f: patched(f, b"model.weights.h5", b"nodel.weights.h5"),
        DAMAGED,
    ),
    "weights with a wrong checksum": (wrong_checksum, "Corrupt"),
    "archive without a description": (lambda f: without(f, CONFIG), "UnknownFormat"),
    "archive without weights": (lambda f: without(f, WEIGHTS), "WeightsMissing"),
    "weights that are empty": (lambda f: as_keras(f, weights=b""), "Corrupt"),
    "weights that are text": (lambda f: as_keras(f, weights=b"hello"), "Corrupt"),
    "weights that are an archive": (
        lambda f: as_keras(f, weights=saved("keras")),
        "Corrupt",
    ),
    "archive in front of an archive": (
        lambda f: two(f, "model.keras", saved("keras"), saved("keras")),
        UNSAFE,
    ),
    "HDF5 in front of an archive": (
        lambda f: two(f, "model.keras", saved("h5"), saved("keras")),
        "TwoFiles",
    ),
    "archive behind HDF5 behind an archive's start": (behind_user_block, UNSAFE),
    "JSON in front of an archive": (
        lambda f: two(f, "model.keras", members()[CONFIG], saved("keras")),
        "TwoFiles",
    ),
}
