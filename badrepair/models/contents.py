"""What a model file holds: the description of a network, its weights, or both."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from badrepair.errors import ModelError
from badrepair.models import allowed, hdf5, legacy
from badrepair.models.legacy_values import plain
from badrepair.models.native_weights import ROOTS, read_native
from badrepair.models.sniff import EXPECTED, kind_of
from badrepair.models.weights import read_legacy

if TYPE_CHECKING:
    from pathlib import Path

    import h5py

    from badrepair.models.weights import Stored

CONFIG_BYTES = 32 * 2**20
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
# What zipfile has been seen to raise on damaged files.
FAULTS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError)
AGAIN = "copy or download the file again"


@dataclass(frozen=True)
class Contents:
    """A model file, read and found harmless.

    Args:
        path: Where it was read.
        config: The network's description for Keras 3, None in a weights-only file. Any, since
            it is JSON.
        weights: None where there are none.
    """

    path: Path
    config: dict[str, Any] | None
    weights: Stored | None


def read(path: Path) -> Contents:
    """Read a `.keras`, HDF5 or JSON file by what it holds, not by its suffix.

    Raises:
        ModelError: UnknownFormat, Truncated, Corrupt, or that its content is refused.
    """
    return {"zip": _read_zip, "hdf5": _read_hdf5, "json": _read_json}[kind_of(path)](path)


def _read_json(path: Path) -> Contents:
    if path.stat().st_size > CONFIG_BYTES:
        raise _too_large(path)
    return Contents(path, _config(path.read_bytes(), path), None)


def _read_hdf5(path: Path) -> Contents:
    with hdf5.opened(path, path) as file:
        if "model_config" not in file.attrs:
            return Contents(path, None, _weights(file, path))
        version = hdf5.text(file.attrs.get("keras_version", ""))
        config = _config(hdf5.text(file.attrs["model_config"]).encode(), path, version)
        if "model_weights" not in file:
            raise ModelError("WeightsMissing", path, "the network is there, its weights are not")
        return Contents(path, config, read_legacy(file["model_weights"], path))


def _weights(file: h5py.File, path: Path) -> Stored:
    if "layer_names" in file.attrs or "layer_names0" in file.attrs:
        return read_legacy(file, path)
    if any(root in file for root in ROOTS):
        return read_native(file, path, path)
    keys = ", ".join(list(file)[:5]) or "nothing"
    hint = "this looks like a data file" if {"data", "label"} & set(file) else ""
    raise ModelError("UnknownFormat", path, f"{EXPECTED}, found HDF5 with {keys}", hint)


def _read_zip(path: Path) -> Contents:
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_foreign(archive, path)
            text, weights = archive.read(CONFIG), archive.read(WEIGHTS)
            metadata = archive.read(METADATA) if METADATA in archive.namelist() else b"{}"
    except zipfile.BadZipFile as error:
        problem = f"the zip archive is cut off or damaged ({error})"
        raise ModelError("Truncated", path, problem, AGAIN) from error
    except FAULTS as error:
        problem = f"the zip archive cannot be read: {error}"
        raise ModelError("Corrupt", path, problem, AGAIN) from error
    config = _config(text, path, _version(_json(metadata, path)))
    with hdf5.opened(weights, path) as file:
        return Contents(path, config, read_native(file, path, weights))


def _refuse_foreign(archive: zipfile.ZipFile, path: Path) -> None:
    names = archive.namelist()
    if CONFIG not in names:
        seen = "a zip archive of something else"
        if any(name.endswith("/data.pkl") for name in names):
            seen = "a PyTorch file"
        elif any(name.endswith(".npy") for name in names):
            seen = "a NumPy .npz file"
        raise ModelError("UnknownFormat", path, f"{EXPECTED}, found {seen}")
    if WEIGHTS not in names:
        raise ModelError("WeightsMissing", path, f"the .keras file has no {WEIGHTS}")
    if (
        max(archive.getinfo(name).file_size for name in (CONFIG, METADATA) if name in names)
        > CONFIG_BYTES
    ):
        raise _too_large(path)


def _config(text: bytes, path: Path, version: str = "") -> dict[str, Any]:
    config = plain(_json(text, path))
    allowed.check(config, path)
    return legacy.modern(config, path, _version(config) or version)


def _version(described: Any) -> str:
    """Return the Keras that wrote a description, empty if it does not say."""
    return str(described.get("keras_version", "")) if isinstance(described, dict) else ""


def _json(text: bytes, path: Path) -> Any:
    if len(text) > CONFIG_BYTES:
        raise _too_large(path)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ModelError("LimitExceeded", path, "its JSON is nested too deep") from error
    except ValueError as error:
        raise ModelError("ConfigInvalid", path, f"its JSON is broken: {error}") from error


def _too_large(path: Path) -> ModelError:
    return ModelError("ConfigTooLarge", path, f"its JSON is over {CONFIG_BYTES:,} bytes")
