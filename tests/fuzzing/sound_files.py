"""One small sound file of each kind that a fuzzer may spoil."""

from __future__ import annotations

import json
from contextlib import suppress

import data_readers
import data_sound
import h5py
import numpy as np
from old_keras import fill, small_config, small_model, small_weights, write_whole
from PIL import Image

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 1), np.uint8)
LABELS = np.arange(12) % 4


def write_all(folder):
    """Write the files and return how each is opened, by name."""
    folder.mkdir()
    model = fill(small_model(), small_weights())
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    write_whole(folder / "old.h5", small_config(), small_weights())
    model.save_weights(folder / "model.weights.h5")
    (folder.parent / "arch.json").write_text(model.to_json())
    with h5py.File(folder / "data.h5", "w") as file:
        file.create_dataset("data", data=PIXELS, compression="gzip", shuffle=True)
        file["label"] = LABELS
    np.savez(folder / "data.npz", x=PIXELS, y=LABELS)
    np.savez_compressed(folder / "packed.npz", x=PIXELS, y=LABELS)
    noise = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    for name in PICTURES:
        Image.fromarray(noise).save(folder / name)
    (folder / "record.json").write_text(json.dumps(data_sound.record()))
    (folder / "detector.npz").write_bytes(data_sound.detector())
    (folder / "out.csv.part").write_bytes(data_sound.rows())
    save_state(folder / "run.npz")
    return READERS


def save_state(path):
    from badrepair.models.checkpoint import Checkpoint

    Checkpoint(path, data_sound.KEY, seconds=0).save(data_sound.state())


def read_model(path):
    from badrepair.models.load import load_model

    return load_model(path)


def read_weights(path):
    from badrepair.models.load import load_model

    return load_model(path, arch=str(path.parent.parent / "arch.json"))


def scan(path):
    from badrepair.scanning import scan

    return scan(path)


def read_model_and_scan(path):
    """Open a model both ways: what one refuses must not break the other."""
    from badrepair.errors import BadrepairError

    with suppress(BadrepairError):
        scan(path)
    return read_model(path)


PICTURES = ("a.png", "a.jpg", "a.tiff", "a.webp", "a.gif")
READERS = {
    "model.keras": read_model_and_scan,
    "model.h5": read_model_and_scan,
    "old.h5": read_model,
    "model.weights.h5": read_weights,
    **dict.fromkeys(("data.h5", "data.npz", "packed.npz"), data_readers.read_data),
    **dict.fromkeys(PICTURES, data_readers.read_picture),
    "record.json": data_readers.read_record,
    "detector.npz": data_readers.read_detector,
    "out.csv.part": data_readers.read_partial,
    "run.npz": data_readers.read_checkpoint,
}
