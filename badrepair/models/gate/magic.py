"""Tell what a file is from its first bytes; its suffix is only a claim."""

from __future__ import annotations

from typing import Literal

from badrepair.errors import ModelError

Kind = Literal["zip", "hdf5", "json"]

HEAD_BYTES = 512
HDF5 = b"\x89HDF\r\n\x1a\n"
KINDS: tuple[tuple[bytes, Kind], ...] = (
    (b"PK\x03\x04", "zip"),
    (HDF5, "hdf5"),
    (b"{", "json"),
    (b"[", "json"),
)
FOREIGN = (
    (b"version https://git-lfs", "a git-lfs pointer instead of the file", "run git lfs pull"),
    (b"<!doctype html", "an HTML page", "download the raw file itself"),
    (b"<html", "an HTML page", "download the raw file itself"),
    (b"\x80\x02", "a Python pickle, as PyTorch writes it", ""),
    (b"\x80\x03", "a Python pickle", ""),
    (b"\x80\x04", "a Python pickle", ""),
    (b"\x80\x05", "a Python pickle", ""),
    (b"\x93numpy", "a NumPy array", ""),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"\x89png", "a PNG image", ""),
    (b"\xff\xd8\xff", "a JPEG image", ""),
    (b"pk\x05\x06", "an empty zip archive", ""),
)
# A protobuf message whose first field is a number: ONNX's ir_version, a SavedModel's version.
PROTOBUF = b"\x08"
EXPECTED = "expected a Keras model (.keras, .h5) or a weights file (.h5)"


def kind_of(head: bytes, where: str) -> Kind:
    """Return what kind of model file this is.

    Args:
        head: Its first bytes, `HEAD_BYTES` of them if there are so many.
        where: What to call the file in errors.

    Raises:
        ModelError: UnknownFormat, naming what the file is instead.
    """
    for magic, kind in KINDS:
        if head.lstrip().startswith(magic) if kind == "json" else head.startswith(magic):
            return kind
    seen, hint = _foreign(head)
    raise ModelError("UnknownFormat", where, f"{EXPECTED}, found {seen}", hint)


def _foreign(head: bytes) -> tuple[str, str]:
    if not head:
        return "an empty file (0 bytes)", "copy or download it again"
    start = head.lstrip().lower()
    for magic, name, hint in FOREIGN:
        if start.startswith(magic):
            return name, hint
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model", "give the Keras model that it was made from"
    if head.startswith(PROTOBUF):
        return "a protobuf file (ONNX or SavedModel)", "save the model as .keras first"
    return f"a file that starts with the bytes {head[:8].hex(' ')}", ""
