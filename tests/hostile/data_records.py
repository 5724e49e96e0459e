"""Make records, detectors, partial files and checkpoints that somebody forged."""

from __future__ import annotations

import base64
import io
import json
import zipfile

import numpy as np
from data_arrays import Bomb, bare, claimed, headed, long_header, npy
from data_pictures import EPS, png_bomb, values_bomb
from data_sound import KEY, described, detector, detector_arrays, record, rows, state


def text(content):
    """Return a maker of a record's file."""
    return bare(content if isinstance(content, bytes) else content.encode(), "record.json")


def holding(**figures):
    return text(json.dumps(record(**figures)))


def changed(**top):
    return text(json.dumps({**record(), **top}))


def picture(content):
    """Return a maker of a record with such a picture among its samples."""

    def make(folder):
        coded = base64.b64encode(content() if callable(content) else content).decode()
        sample = {"set": "clean", "label": 1, "answer": 1, "png": coded}
        return holding(samples=[sample])(folder)

    return make


def named(name):
    """Return a maker of a record in which a set has such a name, which is drawn."""
    return holding(
        entropies={"threshold": 0.2, "clean": [0.1, 0.5], "poisoned": {name: [0.0, 0.3]}}
    )


def too_long(folder):
    path = folder / "record.json"
    with path.open("wb") as file:
        file.truncate(2**31)
    return path


def of_detector(**arrays):
    return bare(detector(**arrays), "detector.npz")


def of_description(**changes):
    return bare(detector(**described(**changes)), "detector.npz")


def zipped(members, name="detector.npz", compression=zipfile.ZIP_STORED):
    """Return a maker of an archive of anything."""

    def make(folder):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", compression) as archive:
            for key, value in members().items():
                archive.writestr(f"{key}.npy", value if isinstance(value, bytes) else npy(value))
        (folder / name).write_bytes(content.getvalue())
        return folder / name

    return make


def detector_with(**members):
    return zipped(lambda: {**detector_arrays(), **members})


def packed_detector():
    return {**detector_arrays(), "overlays": np.zeros((2**20, 4, 4, 1), np.uint8)}


def checkpoint_with(**members):
    """Return a maker of a checkpoint with other arrays."""

    def arrays():
        found = {"key": np.frombuffer(KEY.encode(), np.uint8), "accuracies": np.array([0.5, 0.75])}
        for part in ("weights", "optimizer", "best_weights"):
            found |= {f"{part}/{i}": one for i, one in enumerate(getattr(state(), part))}
        return {**found, **members}

    return zipped(arrays, "run.npz")


def partial(change):
    return bare(change(rows()), "out.csv.part")


def line(content):
    """Return a maker of a partial file with such a row after the third."""
    return partial(lambda whole: whole + content + b"\n")


DEEP = "[" * 200_000 + "]" * 200_000
RECORDS = {
    "record-deep": (text('{"schema": 1, "a": ' + DEEP + "}"), "record", "RecordInvalid"),
    "record-nested-41": (
        text('{"schema": 1, "a": ' + "[" * 40 + "]" * 40 + "}"),
        "record",
        "RecordInvalid",
    ),
    "record-too-long": (too_long, "record", "RecordInvalid"),
    "record-of-nothings": (text("[" + "[]," * 5_000_000 + "[]]"), "record", "RecordInvalid"),
    "record-key-twice": (text('{"schema": 1, "curve": 1, "curve": 2}'), "record", "RecordInvalid"),
    "record-nan": (text('{"schema": 1, "curve": NaN}'), "record", "RecordInvalid"),
    "record-infinite": (text('{"schema": 1, "curve": 1e999}'), "record", "RecordInvalid"),
    "record-endless-number": (
        text('{"schema": 1, "a": ' + "9" * 9_999 + "}"),
        "record",
        "RecordInvalid",
    ),
    "record-no-text": (text(b"\xff\xfe\x00"), "record", "RecordInvalid"),
    "record-pickle": (text(b"\x80\x04cos\nsystem\n."), "record", "RecordInvalid"),
    "record-of-another-time": (text('{"schema": 99}'), "record", "RecordInvalid"),
    "record-list": (text("[1]"), "record", "RecordInvalid"),
    "record-empty": (text(""), "record", "RecordInvalid"),
    "record-picture-bomb": (picture(png_bomb), "record", "RecordInvalid"),
    "record-picture-of-zeros": (picture(values_bomb), "record", None),
    "record-picture-postscript": (picture(EPS), "record", "RecordInvalid"),
    "record-picture-no-base64": (
        holding(samples=[{"set": "a", "label": 1, "answer": 1, "png": "!!"}]),
        "record",
        "RecordInvalid",
    ),
    "record-huge-label": (
        holding(samples=[{"set": "a", "label": 10**400, "answer": 1, "png": ""}]),
        "record",
        "RecordInvalid",
    ),
    "record-ragged": (
        holding(entropies={"threshold": 1, "clean": [[1], 2]}),
        "record",
        "RecordInvalid",
    ),
    "record-of-text": (
        holding(entropies={"threshold": 1, "clean": ["a"]}),
        "record",
        "RecordInvalid",
    ),
    "record-huge-numbers": (
        holding(entropies={"threshold": 1, "clean": [10**30] * 3}),
        "record",
        "RecordInvalid",
    ),
    "record-crowded": (
        holding(
            entropies={"threshold": 1, "clean": [1], "poisoned": {str(n): [1] for n in range(99)}}
        ),
        "record",
        "FigureTooCrowded",
    ),
    "record-order-outside": (
        holding(activations={"layer": "a", "clean": [[[1.0]]], "order": [99]}),
        "record",
        "RecordInvalid",
    ),
    "record-curve-of-text": (
        changed(curve=[{"pruned": "x", "accuracy": 1}]),
        "record",
        "RecordInvalid",
    ),
    "record-curve-of-numbers": (changed(curve=7), "record", "RecordInvalid"),
    "record-formula-that-is-none": (named(r"$\undefined{x}$"), "record", None),
    "record-markup": (named("[link=http://evil]x[/link]"), "record", None),
    "record-escapes": (named("\x1b[2J\x1b]0;x\x07\u202egnp"), "record", None),
    "record-lone-surrogate": (named("\ud800"), "record", None),
    "record-script": (named("</svg><script>alert(1)</script>"), "record", None),
    "record-endless-name": (named("x" * 100_000), "record", None),
    "detector-empty": (bare(b"", "detector.npz"), "detector", "DetectorInvalid"),
    "detector-cut-off": (
        bare(detector()[:-40], "detector.npz"),
        "detector",
        "DetectorInvalid",
    ),
    "detector-pickled": (
        detector_with(overlays=np.array([Bomb()] * 6)),
        "detector",
        "DetectorInvalid",
    ),
    "detector-packed": (
        zipped(packed_detector, compression=zipfile.ZIP_DEFLATED),
        "detector",
        "DetectorInvalid",
    ),
    "detector-header-bomb": (
        detector_with(overlays=claimed((10**6, 10**6))),
        "detector",
        "DetectorInvalid",
    ),
    "detector-header-of-brackets": (
        detector_with(looks=headed("(" * 9_000)),
        "detector",
        "DetectorInvalid",
    ),
    "detector-long-header": (
        detector_with(looks=long_header(2**20) + b" " * 2**20),
        "detector",
        "DetectorInvalid",
    ),
    "detector-nan": (of_detector(calibration=np.array([np.nan])), "detector", "DetectorInvalid"),
    "detector-rising-never": (of_detector(looks=np.array([6, 6])), "detector", "DetectorInvalid"),
    "detector-key-twice": (
        of_detector(description=np.frombuffer(b'{"schema": 1, "schema": 1}', np.uint8)),
        "detector",
        "DetectorInvalid",
    ),
    "detector-deep": (
        of_detector(description=np.frombuffer(b"[" * 100_000, np.uint8)),
        "detector",
        "DetectorInvalid",
    ),
    "detector-path-for-a-digest": (
        of_description(binding={"identity": {"model": "/etc/passwd", "weights": "", "arch": ""}}),
        "detector",
        "DetectorInvalid",
    ),
    "detector-endless-weights": (
        of_description(weights=[10**400, 1]),
        "detector",
        "DetectorInvalid",
    ),
    "detector-no-weights": (of_description(weights=[0, 0]), "detector", "DetectorInvalid"),
    "checkpoint-pickled": (
        checkpoint_with(**{"weights/0": np.array([Bomb()] * 6)}),
        "checkpoint",
        "CheckpointInvalid",
    ),
    "checkpoint-header-bomb": (
        checkpoint_with(**{"weights/0": claimed((10**6, 10**6), "<f4")}),
        "checkpoint",
        "CheckpointInvalid",
    ),
    "checkpoint-header-of-brackets": (
        checkpoint_with(**{"weights/0": headed("(" * 3_000)}),
        "checkpoint",
        "CheckpointInvalid",
    ),
    "checkpoint-long-header": (
        checkpoint_with(**{"weights/0": long_header(2**32 - 1)}),
        "checkpoint",
        "CheckpointInvalid",
    ),
    "checkpoint-negative-axes": (
        checkpoint_with(**{"weights/0": claimed((-2, -3), "<f4", bytes(24))}),
        "checkpoint",
        "CheckpointInvalid",
    ),
    "checkpoint-nan": (
        checkpoint_with(**{"weights/0": np.full((2, 3), np.nan, np.float32)}),
        "checkpoint",
        "CheckpointInvalid",
    ),
    "checkpoint-more": (checkpoint_with(more=np.zeros(3)), "checkpoint", "CheckpointInvalid"),
    "checkpoint-other": (
        checkpoint_with(key=np.zeros(64, np.uint8)),
        "checkpoint",
        "CheckpointOther",
    ),
    "partial-deep": (line(b"[" * 100_000), "partial", "PartialInvalid"),
    "partial-nan": (line(b'[3,"","clean",NaN,4,0.5,3,"",""]'), "partial", "PartialInvalid"),
    "partial-infinite": (line(b'[3,"","clean",1e999,4,0.5,3,"",""]'), "partial", "PartialInvalid"),
    "partial-row-twice": (line(b'[2,"","clean",1.5,4,0.5,3,"",""]'), "partial", "PartialInvalid"),
    "partial-endless-line": (line(b'"' + b"x" * 2**20 + b'"'), "partial", "PartialInvalid"),
    "partial-object": (line(b'{"a": 1, "a": 2}'), "partial", "PartialInvalid"),
    "partial-other-run": (
        partial(lambda whole: whole.replace(KEY.encode(), b"0" * 64)),
        "partial",
        "PartialOther",
    ),
    "partial-other-file": (partial(lambda whole: b"my notes\n"), "partial", "PartialInvalid"),
}
