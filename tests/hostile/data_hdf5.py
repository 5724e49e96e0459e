"""Make HDF5 files of data that lead out of themselves or declare more than they hold."""

from __future__ import annotations

import zlib

import h5py
import numpy as np

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 1), np.uint8)
LABELS = np.arange(12) % 4
SECRET = "secret.h5"


def file_of(fill):
    """Return a maker of a file that holds labels, and images as `fill` puts them in."""

    def make(folder):
        with h5py.File(folder / SECRET, "w") as secret:
            secret["data"], secret["label"] = PIXELS, LABELS
        with h5py.File(folder / "data.h5", "w") as file:
            fill(file, folder)
            if "label" not in file:
                file["label"] = LABELS
        return folder / "data.h5"

    return make


def linked(key, link):
    def fill(file, folder):
        if key == "label":
            file["data"] = PIXELS
        file[key] = link(folder)

    return file_of(fill)


def outside(folder):
    return h5py.ExternalLink(str(folder / SECRET), "/data")


def outside_up(folder):
    return h5py.ExternalLink("../../../etc/passwd", "/")


def soft(folder):
    return h5py.SoftLink("/door/data")


def soft_to_itself(folder):
    return h5py.SoftLink("/data")


@file_of
def soft_behind_a_door(file, folder):
    file["door"] = h5py.ExternalLink(str(folder / SECRET), "/")
    file["data"] = h5py.SoftLink("/door/data")


@file_of
def external_storage(file, folder):
    stored = [(str(folder / SECRET), 0, 12 * 16)]
    file.create_dataset("data", PIXELS.shape, np.uint8, external=stored)


@file_of
def external_labels(file, folder):
    file["data"] = PIXELS
    file.create_dataset("label", (12,), np.uint8, external=[("/etc/passwd", 0, 12)])


@file_of
def virtual(file, folder):
    layout = h5py.VirtualLayout(PIXELS.shape, np.uint8)
    layout[:] = h5py.VirtualSource(str(folder / SECRET), "data", PIXELS.shape)
    file.create_virtual_dataset("data", layout)


@file_of
def virtual_of_itself(file, folder):
    file["small"] = PIXELS[:1]
    layout = h5py.VirtualLayout((2**20, 4, 4, 1), np.uint8)
    for row in range(12):
        layout[row : row + 1] = h5py.VirtualSource(".", "small", (1, 4, 4, 1))
    file.create_virtual_dataset("data", layout)


@file_of
def a_tebibyte_of_nothing(file, folder):
    file.create_dataset("data", (2**36, 4, 4, 1), np.uint8, chunks=(2**10, 4, 4, 1))


@file_of
def a_tebibyte_of_fill_values(file, folder):
    shape = (2**36, 4, 4, 1)
    file.create_dataset("data", shape, np.uint8, chunks=(2**10, 4, 4, 1), fillvalue=7)


@file_of
def a_block_that_was_never_written(file, folder):
    space = h5py.h5s.create_simple((2**20, 4, 4, 1))
    h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_DOUBLE, space)


def packed_zeros(file, key, shape, chunk):
    """Store the same packed chunk of zeros again and again, which takes no time."""
    array = file.create_dataset(key, shape, np.uint8, chunks=chunk, compression="gzip")
    packed = zlib.compress(bytes(int(np.prod(chunk))), 9)
    for start in range(0, shape[0], chunk[0]):
        array.id.write_direct_chunk((start, *(0 for _ in shape[1:])), packed)


@file_of
def half_a_gibibyte_of_labels(file, folder):
    file["data"] = PIXELS
    packed_zeros(file, "label", (2**29,), (2**24,))


@file_of
def as_many_labels_as_images_without_end(file, folder):
    packed_zeros(file, "data", (2**27, 1, 1, 1), (2**24, 1, 1, 1))
    packed_zeros(file, "label", (2**27,), (2**24,))


@file_of
def labels_of_endless_one_hot(file, folder):
    file["data"] = PIXELS
    packed_zeros(file, "label", (12, 2**26), (1, 2**24))


@file_of
def a_chunk_of_two_gibibytes(file, folder):
    file.create_dataset("data", (2**27, 4, 4, 1), np.uint8, chunks=(2**27, 4, 4, 1))


def filtered(number):
    @file_of
    def make(file, folder):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((12, 4, 4, 1))
        plist.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (1, 2, 3))
        space = h5py.h5s.create_simple(PIXELS.shape)
        made = h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_UINT8, space, plist)
        made.write_direct_chunk((0, 0, 0, 0), PIXELS.tobytes())

    return make


@file_of
def scale_offset(file, folder):
    file.create_dataset("data", data=PIXELS, chunks=PIXELS.shape, scaleoffset=True)


def holding(values, dtype=None):
    @file_of
    def make(file, folder):
        file.create_dataset("data", data=values, dtype=dtype)

    return make


@file_of
def rows_of_any_length(file, folder):
    rows = file.create_dataset("data", (12,), h5py.vlen_dtype(np.uint8))
    for row in range(12):
        rows[row] = np.arange(row + 1, dtype=np.uint8)


@file_of
def references(file, folder):
    file["real"] = PIXELS
    file.create_dataset("data", data=[file["real"].ref] * 12, dtype=h5py.ref_dtype)


@file_of
def seven_axes(file, folder):
    file["data"] = PIXELS.reshape(12, 4, 4, 1, 1, 1, 1)


@file_of
def one_value(file, folder):
    file["data"] = np.uint8(7)


@file_of
def no_value_at_all(file, folder):
    file["data"] = h5py.Empty("u1")


@file_of
def a_type_instead_of_an_array(file, folder):
    file["data"] = np.dtype("u1")


@file_of
def images_that_are_the_labels(file, folder):
    file["data"] = PIXELS
    file["label"] = file["data"]


@file_of
def a_group(file, folder):
    file["data/data/data"] = PIXELS


@file_of
def groups_in_groups(file, folder):
    group = file
    for _ in range(1_500):
        group = group.create_group("g")


@file_of
def a_ring_of_groups(file, folder):
    file.create_group("a")
    file["a/again"] = file["a"]


@file_of
def fifteen_thousand_names(file, folder):
    for number in range(15_000):
        file.create_group(f"n{number}")


@file_of
def names_that_steer_a_terminal(file, folder):
    for name in (
        "\x1b[2J",
        "line\nbreak",
        "[link=http://evil]x[/link]",
        "\u202egnp",
        "=cmd|' /C'!A0",
    ):
        file[name] = PIXELS


def spoilt(change):
    """Return a maker of a sound file whose bytes are changed."""

    def make(folder):
        path = folder / "data.h5"
        with h5py.File(path, "w") as file:
            file["data"], file["label"] = PIXELS, LABELS
        path.write_bytes(change(path.read_bytes()))
        return path

    return make


HDF5 = {
    "h5-link-to-a-file": (linked("data", outside), "data", "H5Link"),
    "h5-link-to-a-file-for-labels": (linked("label", outside), "data", "H5Link"),
    "h5-link-up": (linked("data", outside_up), "data", "H5Link"),
    "h5-soft-link": (linked("data", soft), "data", "H5Link"),
    "h5-soft-link-to-itself": (linked("data", soft_to_itself), "data", "H5Link"),
    "h5-soft-link-behind-a-door": (soft_behind_a_door, "data", "H5Link"),
    "h5-external-storage": (external_storage, "data", "H5External"),
    "h5-external-labels": (external_labels, "data", "H5External"),
    "h5-virtual": (virtual, "data", "H5Virtual"),
    "h5-virtual-of-itself": (virtual_of_itself, "data", "H5Virtual"),
    "h5-bomb-of-nothing": (a_tebibyte_of_nothing, "data", "H5Bomb"),
    "h5-bomb-of-fill-values": (a_tebibyte_of_fill_values, "data", "H5Bomb"),
    "h5-bomb-never-written": (a_block_that_was_never_written, "data", "H5Bomb"),
    "h5-bomb-of-labels": (half_a_gibibyte_of_labels, "data", "DataBomb"),
    "h5-bomb-of-images-and-labels": (as_many_labels_as_images_without_end, "data", "DataBomb"),
    "h5-bomb-of-one-hot": (labels_of_endless_one_hot, "data", "H5Bomb"),
    "h5-bomb-in-a-chunk": (a_chunk_of_two_gibibytes, "data", "H5Bomb"),
    "h5-filter-blosc": (filtered(32001), "data", "H5Filter"),
    "h5-filter-unknown": (filtered(40_000), "data", "H5Filter"),
    "h5-filter-scale-offset": (scale_offset, "data", "H5Filter"),
    "h5-complex": (holding(PIXELS.astype(complex)), "data", "H5Dtype"),
    "h5-text": (holding([b"text"] * 12), "data", "H5Dtype"),
    "h5-text-of-any-length": (holding(["text"] * 12, h5py.string_dtype()), "data", "H5Dtype"),
    "h5-rows-of-any-length": (rows_of_any_length, "data", "H5Dtype"),
    "h5-compound": (holding(np.zeros(12, [("a", "u1"), ("b", "f4")])), "data", "H5Dtype"),
    "h5-opaque": (holding(np.zeros(12, "V16")), "data", "H5Dtype"),
    "h5-references": (references, "data", "H5Dtype"),
    "h5-seven-axes": (seven_axes, "data", "LimitExceeded"),
    "h5-one-value": (one_value, "data", "H5Dtype"),
    "h5-no-value": (no_value_at_all, "data", "LimitExceeded"),
    "h5-type": (a_type_instead_of_an_array, "data", "H5Dtype"),
    "h5-images-are-labels": (images_that_are_the_labels, "data", "LabelShape"),
    "h5-group": (a_group, "data", "KeyMissing"),
    "h5-groups-in-groups": (groups_in_groups, "data", "KeyMissing"),
    "h5-ring": (a_ring_of_groups, "data", "KeyMissing"),
    "h5-many-names": (fifteen_thousand_names, "data", "KeyMissing"),
    "h5-names-that-steer": (names_that_steer_a_terminal, "data", "KeyMissing"),
    "h5-cut-off": (spoilt(lambda content: content[:-50]), "data", "Truncated"),
    "h5-head-alone": (spoilt(lambda content: content[:30]), "data", "Corrupt"),
    "h5-no-superblock": (
        spoilt(lambda content: content[:8] + b"\xff" * 60 + content[68:]),
        "data",
        "Corrupt",
    ),
    "h5-behind-a-zip": (
        spoilt(lambda content: b"MZ" + bytes(510) + content),
        "data",
        "UnknownFormat",
    ),
}
