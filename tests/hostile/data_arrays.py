"""Make .npz, .npy and IDX files that unpickle, unpack without end, or lie about their shape."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile

import numpy as np
from data_hdf5 import LABELS, PIXELS

TWELVE_ZEROS = b"\0\0\x08\1\0\0\0\x0c" + bytes(12)


class Bomb:
    """What would make a file if it were unpickled."""

    def __reduce__(self):
        return (os.system, ("touch unpickled",))


def npy(array):
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asarray(array), (1, 0), allow_pickle=True)
    return content.getvalue()


def claimed(shape, descr="|u1", rest=b"few", fortran=False):
    """Return an .npy with a header of anything."""
    fields = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape!r}, }}"
    return headed(fields) + rest


def headed(fields, version=b"\x01\x00"):
    text = fields.encode("latin-1")
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text


def long_header(length):
    """Return the beginning of an .npy whose header says that it is so long."""
    return b"\x93NUMPY\x02\x00" + struct.pack("<L", length)


def sparse(folder):
    """Write a header of a gibibyte that takes no room on the disk."""
    with (folder / "data.npy").open("wb") as file:
        file.write(long_header(2**30))
        file.truncate(2**30)
    return folder / "data.npy"


def zeros_of_128_mebibytes():
    return claimed((2**23, 4, 4), rest=bytes(2**27))


def npz(name="x.npy", content=b"", compression=zipfile.ZIP_STORED, change=lambda whole: whole):
    """Return a maker of an .npz whose images are such a member."""

    def make(folder):
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w", compression) as archive:
            archive.writestr(name, content() if callable(content) else content)
            archive.writestr("y.npy", npy(LABELS))
        (folder / "data.npz").write_bytes(change(whole.getvalue()))
        return folder / "data.npz"

    return make


def twice(folder):
    path = npz(content=npy(PIXELS))(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.fp.seek(archive.start_dir)
        member = zipfile.ZipInfo("z.npy")
        archive.writestr(member, npy(PIXELS[::-1]))
    path.write_bytes(path.read_bytes().replace(b"z.npy", b"x.npy"))
    return path


def encrypted(content):
    """Set the flag in both headers of the first member."""
    changed = bytearray(content)
    for place in (6, content.index(b"PK\1\2") + 8):
        changed[place] |= 1
    return bytes(changed)


def packed_more(content):
    """Let the table of contents claim that the first member takes much of the file."""
    return rewritten(content, content.index(b"PK\1\2") + 20, struct.pack("<L", 2**27))


def rewritten(content, place, new):
    return content[:place] + new + content[place + len(new) :]


def flipped(content):
    place = content.index(PIXELS.tobytes()) + 20
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def many_members(folder):
    """Write a table of contents that takes forty times its size in memory."""
    entry = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", *[20, 20, 0, 0, 0, 0], *[0, 0, 0], *[1, 0, 0, 0, 0], 0, 0
    )
    table = (entry + b"x") * 500_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(table), 4, 0)
    (folder / "data.npz").write_bytes(b"PK\3\4" + table + end)
    return folder / "data.npz"


def larger_kind(content):
    """Put in a record of large archives that claims a table of contents without end."""
    at = content.rindex(b"PK\5\6")
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, 2**40, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    end = content[at : at + 8] + b"\xff" * 12 + content[at + 20 :]
    return content[:at] + record + locator + end


def labels_bomb(folder):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy(PIXELS))
        with archive.open("y.npy", "w") as stream:
            stream.write(claimed((2**29,), rest=b""))
            for _ in range(2**5):
                stream.write(bytes(2**24))
    (folder / "data.npz").write_bytes(whole.getvalue())
    return folder / "data.npz"


def bare(content, name="data.npy"):
    """Return a maker of a file of these bytes."""

    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


def idx(images, labels=TWELVE_ZEROS):
    """Return a maker of a pair of IDX files."""

    def make(folder):
        (folder / "a-labels-idx1").write_bytes(labels)
        (folder / "a-images-idx3").write_bytes(images)
        return folder / "a-images-idx3"

    return make


def idx_head(*sizes, kind=8):
    return bytes([0, 0, kind, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


def endless(head, size):
    return gzip.compress(head + bytes(size), 9)


SOUND = idx_head(12, 4, 4) + PIXELS.tobytes()
CODE, BOMB = "PickleRefused", "DataBomb"
PACKED = zipfile.ZIP_DEFLATED
NPZ = {
    "npz-pickled-images": (npz(content=npy(np.array([Bomb()] * 12))), "data", CODE),
    "npz-pickle-inside-a-record": (
        npz(content=claimed((12,), [("a", "|O"), ("b", "<f4")])),
        "data",
        CODE,
    ),
    "npz-header-bomb": (npz(content=claimed((320_000, 1_000, 1_000))), "data", BOMB),
    "npz-packed-bomb": (
        npz(content=zeros_of_128_mebibytes, compression=PACKED),
        "data",
        BOMB,
    ),
    "npz-packed-bomb-that-says-it-is-none": (
        npz(
            content=zeros_of_128_mebibytes,
            compression=PACKED,
            change=packed_more,
        ),
        "data",
        BOMB,
    ),
    "npz-bomb-in-a-header": (
        npz(content=lambda: long_header(2**27) + bytes(2**27), compression=PACKED),
        "data",
        BOMB,
    ),
    "npz-small-bomb-in-a-header": (
        npz(content=lambda: long_header(2**25) + b" " * 2**25, compression=PACKED),
        "data",
        "Corrupt",
    ),
    "npz-header-of-four-gibibytes": (npz(content=long_header(2**32 - 1)), "data", "Corrupt"),
    "npz-bomb-of-labels": (labels_bomb, "data", BOMB),
    "npz-a-member-twice": (twice, "data", "ZipUnsafe"),
    "npz-encrypted": (npz(content=npy(PIXELS), change=encrypted), "data", "ZipUnsafe"),
    "npz-bzip2": (npz(content=npy(PIXELS), compression=zipfile.ZIP_BZIP2), "data", "ZipUnsafe"),
    "npz-lzma": (npz(content=npy(PIXELS), compression=zipfile.ZIP_LZMA), "data", "ZipUnsafe"),
    "npz-many-members": (many_members, "data", "Corrupt"),
    "npz-of-the-larger-kind": (npz(content=npy(PIXELS), change=larger_kind), "data", "Corrupt"),
    "npz-out-of-the-folder": (npz("../x.npy", npy(PIXELS)), "data", "KeyMissing"),
    "npz-absolute": (npz("/etc/x.npy", npy(PIXELS)), "data", "KeyMissing"),
    "npz-no-suffix": (npz("x", npy(PIXELS)), "data", "KeyMissing"),
    "npz-name-that-steers": (npz("\x1b[2J\n.npy", npy(PIXELS)), "data", "KeyMissing"),
    "npz-flipped": (npz(content=npy(PIXELS), change=flipped), "data", "Corrupt"),
    "npz-cut-off": (npz(content=npy(PIXELS), change=lambda whole: whole[:-9]), "data", "Corrupt"),
    "npz-behind-a-program": (
        npz(content=npy(PIXELS), change=lambda whole: b"MZ" + whole),
        "data",
        "UnknownFormat",
    ),
    "npz-header-of-brackets": (npz(content=headed("(" * 9_000)), "data", "Corrupt"),
    "npz-header-of-minuses": (npz(content=headed("-" * 9_000 + "1")), "data", "Corrupt"),
    "npz-header-of-code": (npz(content=headed("__import__('os').system('x')")), "data", "Corrupt"),
    "npz-header-of-lists-as-keys": (npz(content=headed("{[]: 1}")), "data", "Corrupt"),
    "npz-header-too-long": (npz(content=headed("1" + " " * 60_000)), "data", "Corrupt"),
    "npz-header-of-version-9": (npz(content=headed("{}", b"\x09\x00")), "data", "Corrupt"),
    "npz-negative-axes": (npz(content=claimed((-12, -4, 4), rest=bytes(192))), "data", "Corrupt"),
    "npz-endless-empty": (npz(content=claimed((0, 10**30), rest=b"")), "data", "Corrupt"),
    "npz-two-hundred-axes": (npz(content=claimed((1,) * 200, rest=b"1")), "data", "Corrupt"),
    "npz-type-of-nothing": (npz(content=claimed((10**12,), "|V0", b"")), "data", "Corrupt"),
    "npz-type-unknown": (npz(content=claimed((12,), "|Z9")), "data", "Corrupt"),
    "npz-axes-of-text": (npz(content=claimed(("1", "2"))), "data", "Corrupt"),
    "npz-dates": (npz(content=npy(np.zeros((12, 4, 4, 1), "M8[s]"))), "data", "PixelType"),
    "npz-records": (npz(content=npy(np.zeros((12, 4, 4, 1), "u1,f4"))), "data", "PixelType"),
    "npy-pickled": (bare(npy(np.array([Bomb()] * 12))), "images", CODE),
    "npy-header-bomb": (bare(claimed((10**12,))), "images", "Truncated"),
    "npy-more-than-said": (bare(claimed((1, 1), rest=bytes(9))), "images", "Corrupt"),
    "npy-columns-first-bomb": (bare(claimed((10**6, 10**6), fortran=True)), "images", "Truncated"),
    "npy-negative-axes": (bare(claimed((-1, -3))), "images", "Corrupt"),
    "npy-bomb-in-a-header": (sparse, "images", "Corrupt"),
    "npy-cut-off-header": (bare(npy(PIXELS)[:40]), "images", "Corrupt"),
    "pickle": (bare(b"\x80\x04cos\nsystem\n(S'x'\ntR."), "data", "UnknownFormat"),
    "idx-declares-a-pebibyte": (idx(idx_head(2**31, 2**31, 2**31) + b"few"), "data", "Truncated"),
    "idx-packed-declares-an-exbibyte": (
        idx(endless(idx_head(2**31, 2**31, 2**31), 100)),
        "data",
        BOMB,
    ),
    "idx-packed-bomb": (idx(endless(idx_head(2**27, 1, 1), 2**27)), "data", BOMB),
    "idx-packed-cut-off": (idx(gzip.compress(SOUND)[:-9]), "data", "Truncated"),
    "idx-packed-flipped": (idx(gzip.compress(SOUND)[:-8] + bytes(8)), "data", "Truncated"),
    "idx-packed-with-more": (idx(gzip.compress(SOUND + b"more")), "data", "Corrupt"),
    "idx-bomb-of-labels": (
        idx(SOUND, endless(idx_head(2**29), 2**20)),
        "data",
        BOMB,
    ),
    "idx-unknown-type": (idx(idx_head(12, 4, 4, kind=7) + bytes(192)), "data", "UnknownFormat"),
    "idx-many-axes": (idx(b"\0\0\x08\xc8" + bytes(2_000)), "data", "UnknownFormat"),
    "idx-without-labels": (bare(SOUND, "images-idx3"), "data", "LabelsMissing"),
}
