"""HDF5 files that lead elsewhere, declare more than they hold, or hold no sound weights."""

from __future__ import annotations

import zlib

import h5py
import numpy as np
from descriptions import SECRET
from honest import WEIGHTS, as_bytes, as_h5, as_keras, as_weights, members, saved, spoilt
from timing import Built

LINK, EXTERNAL, VIRTUAL, ALIAS = "H5Link", "H5External", "H5Virtual", "H5Alias"
FILTER, DTYPE, BOMB, LIMIT = "H5Filter", "H5Dtype", "H5Bomb", "LimitExceeded"
NAN, DAMAGED, MISFIT = "WeightsNotFinite", "Corrupt", Built("WeightsMismatch")
SECRET_NUMBER, ZSTANDARD = 42, 32015


def kernels(file):
    """Return every array of the last layer's kernel: (group, name)."""
    found = []
    file.visititems(
        lambda name, item: (
            found.append((item.parent, name.rsplit("/", 1)[-1]))
            if isinstance(item, h5py.Dataset) and item.shape == (72, 3)
            else None
        )
    )
    return found


def instead(make):
    """Put something else in the place of the kernel: `make(group, name)`."""

    def spoil(file):
        for group, name in kernels(file):
            del group[name]
            make(group, name)

    return spoil


def linked(link):
    return instead(lambda group, name: group.__setitem__(name, link))


def values(**options):
    return instead(lambda group, name: group.create_dataset(name, **options))


def filled(value, dtype=np.float32):
    return values(data=np.full((72, 3), value, dtype))


def one_bad(value):
    def spoil(file):
        for group, name in kernels(file):
            group[name][5, 1] = value

    return spoil


def virtual(group, name):
    layout = h5py.VirtualLayout((72, 3), np.float32)
    layout[:] = h5py.VirtualSource(SECRET, "kernel", (72, 3))
    group.create_virtual_dataset(name, layout)


def alias(file):
    for group, name in kernels(file):
        group.file["again"] = group[name]


def circle(file):
    file["circle"] = file["/"]


def unknown_filter(group, name):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((72, 3))
    plist.set_filter(ZSTANDARD, h5py.h5z.FLAG_OPTIONAL, (3,))
    space = h5py.h5s.create_simple((72, 3))
    h5py.h5d.create(group.id, name.encode(), h5py.h5t.IEEE_F32LE, space, plist)


def vast_chunk(group, name):
    """Write a chunk of 1 GiB of zeros, packed to a few bytes as far as they go."""
    rows = 2**28 // 3 + 1
    made = group.create_dataset(
        name, (72, 3), np.float32, maxshape=(None, 3), chunks=(rows, 3), compression="gzip"
    )
    made.id.write_direct_chunk((0, 0), zlib.compress(bytes(10_000)) + bytes(2_000))


def packed_zeros(group, name):
    """Store 128 MiB of zeros in 128 KiB."""
    made = group.create_dataset(
        name, (2**25,), np.float32, chunks=(2**20,), compression="gzip", compression_opts=9
    )
    piece = zlib.compress(bytes(2**22), 9)
    for start in range(0, 2**25, 2**20):
        made.id.write_direct_chunk((start,), piece)


def named_type(group, name):
    group[name] = np.dtype("f4")


def bfloat16(group, name):
    """Store numbers that are none by their bits, as Keras 3 stores this type."""
    made = group.create_dataset(name, data=np.full((72, 3), 0x7FC0, np.uint16).view("V2"))
    made.attrs["dtype"] = "bfloat16"


def attribute(path, name, value):
    def spoil(file):
        for place in (file[path], file):
            if name in place.attrs:
                place.attrs[name] = value

    return spoil


def listed_again(file):
    """Name the same kernel a thousand times, so that it is read a thousand times."""
    group = file["model_weights/dense_1"]
    group.attrs["weight_names"] = [*group.attrs["weight_names"]] * 1_000


def foreign_key(file):
    group, name = kernels(file)[0]
    group.move(name, "first")


def trained(file):
    gadget = '{"class_name": "function", "module": "os", "config": "system"}'
    file.attrs["training_config"] = f'{{"loss": {gadget}}}'


# By name: what is done to the file, and the code; for whole files, weights alone and `.keras`.
SPOILT = {
    "external link": (linked(h5py.ExternalLink(SECRET, "/kernel")), LINK),
    "external link to a device": (linked(h5py.ExternalLink("/dev/zero", "/kernel")), LINK),
    "soft link": (linked(h5py.SoftLink("/")), LINK),
    "soft link to itself": (
        instead(lambda group, name: group.__setitem__(name, h5py.SoftLink(f"{group.name}/{name}"))),
        LINK,
    ),
    "values in another file": (
        values(shape=(72, 3), dtype="f4", external=[(SECRET, 2048, 864)]),
        EXTERNAL,
    ),
    "virtual array": (instead(virtual), VIRTUAL),
    "array under two names": (alias, ALIAS),
    "group inside itself": (circle, ALIAS),
    "filter of a plug-in": (instead(unknown_filter), FILTER),
    "filter by scale and offset": (
        values(data=np.zeros((72, 3), "i4"), chunks=(72, 3), scaleoffset=2),
        FILTER,
    ),
    "array of texts": (values(data=np.full((72, 3), b"x")), DTYPE),
    "array of references": (values(shape=(72, 3), dtype=h5py.ref_dtype), DTYPE),
    "array of lists": (values(shape=(72, 3), dtype=h5py.vlen_dtype(np.float32)), DTYPE),
    "array of records": (values(shape=(72, 3), dtype=[("a", "f4"), ("b", "f4")]), DTYPE),
    "weights beyond single precision": (filled(1e300, np.float64), NAN),
    "array of complex numbers": (filled(1j, np.complex64), DTYPE),
    "type instead of an array": (instead(named_type), DTYPE),
    "shape of a terabyte": (values(shape=(2**20, 2**18), dtype="f4", chunks=(1024, 3)), BOMB),
    "fill value of 1 GiB": (
        values(shape=(2**28,), dtype="f4", chunks=(2**20,), fillvalue=1.0, compression="gzip"),
        BOMB,
    ),
    "zeros packed a thousand to one": (instead(packed_zeros), BOMB),
    "chunk of 1 GiB": (instead(vast_chunk), BOMB),
    "array of seven axes": (values(data=np.ones((1,) * 7, "f4")), LIMIT),
    "array without values": (
        values(data=h5py.Empty("f4")),
        LIMIT,
    ),
    "weight that is no number": (one_bad(np.nan), NAN),
    "weight without end": (one_bad(-np.inf), NAN),
    "weights of another shape": (values(data=np.ones((3, 72), "f4")), MISFIT),
}
WHOLE = {
    "kernel that is missing": (instead(lambda group, name: None), DAMAGED),
    "kernel listed a thousand times": (listed_again, MISFIT),
    "layer names that are numbers": (attribute("model_weights", "layer_names", 5), DAMAGED),
    "layer names of nobody": (attribute("model_weights", "layer_names", [b"none"]), DAMAGED),
    "layer names that leave the group": (attribute("model_weights", "layer_names", [b"/"]), MISFIT),
    "description that is an array": (attribute("/", "model_config", [1, 2]), "ConfigInvalid"),
    "description without a value": (
        attribute("/", "model_config", h5py.Empty("f4")),
        "ConfigInvalid",
    ),
    "training with a gadget": (trained, "CodeInTraining"),
    "training that is broken": (
        lambda file: file.attrs.__setitem__("training_config", "{"),
        "ConfigInvalid",
    ),
    "weights that are an array": (
        lambda file: (file.__delitem__("model_weights"), file.__setitem__("model_weights", [1.0])),
        MISFIT,
    ),
}


def damaged(start, stop=None, content=b"\xff"):
    """Overwrite a part of the honest file."""

    def make(folder):
        whole = bytearray(saved("h5"))
        end = start + 1 if stop is None else stop
        whole[start:end] = content * (end - start)
        return as_bytes(folder, "model.h5", bytes(whole))

    return make


def cut(part):
    """Keep so many bytes, or such a share of them."""
    return lambda folder: as_bytes(
        folder, "model.h5", saved("h5")[: int(part if part > 1 else len(saved("h5")) * part)]
    )


def headless(folder):
    """Keep half of the head; zeros take the place of the rest, as after a crash.

    Of a file that ends there HDF5 reads on in what its memory held before: it says one thing or
    the other.
    """
    return as_bytes(folder, "model.h5", saved("h5")[:50] + bytes(50))


def other_network(folder):
    import keras

    path = folder / "other.weights.h5"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(path)
    return as_keras(folder, weights=path.read_bytes())


def secret(folder):
    """Write the file that others must not read."""
    with h5py.File(folder / SECRET, "w") as file:
        file["kernel"] = np.full((72, 3), SECRET_NUMBER, "f4")


def _whole(spoil):
    return lambda folder: (secret(folder), as_h5(folder, spoil=spoil))[1]


def _keras(spoil):
    def make(folder):
        secret(folder)
        return as_keras(folder, weights=spoilt(members()[WEIGHTS], spoil))

    return make


def _weights(spoil):
    return lambda folder: as_weights(folder, spoil)


FILES = {
    **{f"{name} (h5)": (_whole(spoil), code) for name, (spoil, code) in SPOILT.items()},
    **{f"{name} (keras)": (_keras(spoil), code) for name, (spoil, code) in SPOILT.items()},
    **{
        f"{name} (weights)": (_weights(spoil), code)
        for name, (spoil, code) in SPOILT.items()
        if code not in {MISFIT, NAN}
    },
    **{f"{name} (h5)": (_whole(spoil), code) for name, (spoil, code) in WHOLE.items()},
    "bfloat16 that is no number (keras)": (_keras(instead(bfloat16)), NAN),
    "layers numbered by words": (_keras(foreign_key), DAMAGED),
    "weights of another network": (other_network, MISFIT),
    "HDF5 whose head is cut off": (headless, "Truncated"),
    "HDF5 cut off at a tenth": (cut(0.1), "Truncated"),
    "HDF5 without its last byte": (cut(0.99999), "Truncated"),
    "HDF5 with another head": (damaged(8, 24), DAMAGED),
    "HDF5 with a wild root": (damaged(56, 96), DAMAGED),
    "HDF5 of noise": (damaged(96, 4096, b"\xa5"), DAMAGED),
}
