"""What is no model at all, though its name says so."""

from __future__ import annotations

import os
import pickle
import socket
import zipfile

import numpy as np
from honest import as_bytes, saved

UNKNOWN, NO_FILE = "UnknownFormat", "NotAFile"


class Evil:
    """What runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch written-by-the-model",)


def content(what, name="model.h5"):
    return lambda folder: as_bytes(folder, name, what)


def torch(folder):
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(Evil()))
    return path


def arrays(folder):
    path = folder / "model.npz"
    np.savez(path, evil=np.array([Evil()], dtype=object))
    return path


def checkpoint(folder):
    path = folder / "model.keras"
    path.mkdir()
    (path / "_METADATA").write_text("{}")
    return path


def pipe(folder):
    os.mkfifo(folder / "model.h5")
    return folder / "model.h5"


def door(folder):
    """Leave a socket's file behind; a path of a socket may have a hundred characters."""
    here = os.open(".", os.O_RDONLY)
    os.chdir(folder)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("model.h5")
    os.fchdir(here)
    os.close(here)
    return folder / "model.h5"


def device(folder):
    path = folder / "model.h5"
    path.symlink_to("/dev/zero")
    return path


FILES = {
    "empty file": (content(b""), UNKNOWN),
    "four bytes": (content(b"\x89HDF"), UNKNOWN),
    "pickle": (content(pickle.dumps(Evil())), UNKNOWN),
    "pickle named keras": (content(pickle.dumps(Evil(), protocol=2), "model.keras"), UNKNOWN),
    "PyTorch archive": (torch, UNKNOWN),
    "arrays of objects": (arrays, UNKNOWN),
    "web page": (content(b"<!DOCTYPE html><script>alert(1)</script>"), UNKNOWN),
    "git-lfs pointer": (content(b"version https://git-lfs.github.com/spec/v1\n"), UNKNOWN),
    "ONNX": (content(b"\x08\x07\x12\x07pytorch", "model.keras"), UNKNOWN),
    "TensorFlow Lite": (content(b"\x1c\x00\x00\x00TFL3"), UNKNOWN),
    "PNG picture": (content(b"\x89PNG\r\n\x1a\n" + bytes(64)), UNKNOWN),
    "gzip archive": (content(b"\x1f\x8b\x08" + bytes(64)), UNKNOWN),
    "program": (content(b"\x7fELF" + bytes(64)), UNKNOWN),
    "script": (content(b"import os; os.system('touch written-by-the-model')"), UNKNOWN),
    "empty archive": (content(b"PK\x05\x06" + bytes(18), "model.keras"), UNKNOWN),
    "HDF5 behind a byte": (content(b"\x00" + saved("h5")), UNKNOWN),
    "HDF5 behind half a kilobyte": (content(bytes(512) + saved("h5")), UNKNOWN),
    "archive behind a script": (content(b"#!/bin/sh\n" + saved("keras"), "model.keras"), UNKNOWN),
    "folder": (checkpoint, NO_FILE),
    "pipe": (pipe, NO_FILE),
    "socket": (door, NO_FILE),
    "link to a device": (device, NO_FILE),
}
