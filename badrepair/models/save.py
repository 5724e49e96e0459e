"""Write a network to a file, in the format that the file's name asks for."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import h5py
from keras.src.legacy.saving import legacy_h5_format
from keras.src.saving import saving_lib

from badrepair.errors import OptionError

if TYPE_CHECKING:
    from pathlib import Path

    import keras

WEIGHTS_ENDING = ".weights.h5"
WHOLE_ENDINGS = (".keras", ".h5", ".hdf5")
# Of an archive of Keras.
METADATA, WEIGHTS = "metadata.json", "model.weights.h5"
# A guarded network, twice, and the detector alone.
GUARD_ENDINGS = (".keras", ".onnx", ".npz")


def write_model(model: keras.Model, path: Path) -> None:
    """Write a network; an existing file is replaced.

    Args:
        model: A built network.
        path: `*.weights.h5` for the weights alone, `.keras`, or `.h5` and `.hdf5` for the whole
            network in the format of Keras 2.

    Raises:
        OptionError: OutputFormat, if the name ends otherwise.
    """
    path.write_bytes(model_bytes(model, path))


def model_bytes(model: keras.Model, path: Path) -> bytes:
    """Return what `write_model` writes to a path.

    A disk that fills up while HDF5 writes to it leaves the library unusable, so that everything
    is made in memory and only then written.
    """
    require_format(path)
    memory = io.BytesIO()
    if path.suffix != ".keras" and not path.name.endswith(WEIGHTS_ENDING):
        with h5py.File(memory, "w") as file:
            legacy_h5_format.save_model_to_hdf5(model, file, include_optimizer=False)
        return memory.getvalue()
    saving_lib.save_model(model, memory)
    if path.suffix == ".keras":
        return _undated(memory)
    with zipfile.ZipFile(memory) as archive:
        # What save_weights writes as well, which takes no file in memory.
        return archive.read(WEIGHTS)


def _undated(archive: io.BytesIO) -> bytes:
    """Return an archive of Keras without the time of day: the same run writes the same bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(archive) as dated, zipfile.ZipFile(made, "w") as undated:
        for name in dated.namelist():
            content = dated.read(name)
            if name == METADATA:
                told = json.loads(content)
                told.pop("date_saved", None)
                content = json.dumps(told).encode()
            undated.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


def require_guard_format(path: Path) -> None:
    """Refuse names for a guarded network, or a detector, from which no format follows.

    Plain Keras could not load a guard from .h5 again.

    Raises:
        OptionError: OutputFormat, if the name ends in none of the known endings.
    """
    if path.suffix not in GUARD_ENDINGS:
        problem = f"expected a name that ends in {', '.join(GUARD_ENDINGS)}, found {path.name}"
        raise OptionError("OutputFormat", path, problem)


def require_format(path: Path) -> None:
    """Refuse a file name from which no format follows, before any work is done.

    Raises:
        OptionError: OutputFormat, if the name ends in none of the known endings.
    """
    endings = (*WHOLE_ENDINGS, WEIGHTS_ENDING)
    if not path.name.endswith(endings) or path.name in endings:
        problem = (
            f"expected a name that ends in {', '.join(endings)}, found {path.suffix or 'no ending'}"
        )
        raise OptionError("OutputFormat", path, problem)
