"""A fitted STRIP detector alone in a small file, which works with the network it was made for.

The file is an .npz of the overlays, the stages, the calibration scores and the threshold, and of
a description in JSON. It is read as hostile: see `archive` and `parts`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from badrepair.detectors import archive, parts
from badrepair.detectors.binding import Binding, ModelIdentity
from badrepair.detectors.fitted_strip import FittedStrip
from badrepair.errors import DataError, ResourceError
from badrepair.files import require_file
from badrepair.models.superimposing import Superimposer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras
    from numpy.typing import NDArray

    from badrepair.calibration import Kind
    from badrepair.staging import Stages
    from badrepair.views import Array

__all__ = ["Binding", "ModelIdentity", "StoredDetector", "detector_bytes", "read_detector"]

_FLOATS = ("<f8",)
_ARRAYS: Mapping[str, tuple[str, ...]] = {
    "description": ("|u1",),
    "overlays": ("|u1", "<f4"),
    "looks": ("<i8",),
    "factor": _FLOATS,
    "below": _FLOATS,
    "above": _FLOATS,
    "calibration": _FLOATS,
    "threshold": _FLOATS,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredDetector:
    """A detector as it stands in a file, without its network.

    Args:
        path: The file.
        sha256: Its digest, in hexadecimal.
        binding: The network that it was made for, and what that takes.
        overlays: As `FittedStrip` has them, and so on.
    """

    path: Path
    sha256: str
    binding: Binding
    overlays: NDArray[np.float32]
    weights: tuple[float, float]
    stages: Stages
    calibration: NDArray[np.float64]
    threshold: float
    kind: Kind
    frr: float
    learning: int
    mix_why: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (H, W, C) of the images that the network takes."""
        _, height, width, channels = self.overlays.shape
        return height, width, channels

    def fitted(
        self, model: keras.Model, identity: ModelIdentity, *, batch_size: int | None = None
    ) -> FittedStrip:
        """Return the detector at work.

        Args:
            model: The network that it was made for.
            identity: Of the files that the network was read from.
            batch_size: Mixes a call, and images in work at a time; found out by trying if None.

        Raises:
            ModelError: OtherModel: the network is another one.
            DataError: DetectorInvalid: the file does not fit the network that it names.
        """
        self.binding.identity.require(identity)
        takes, answers = model.input_shape[1:], int(model.output_shape[-1])
        sizes = zip(self.shape, takes, strict=True)
        if answers != self.binding.classes or any(size not in (own, None) for own, size in sizes):
            found = f"images {self.shape} and {self.binding.classes} classes"
            raise _invalid(self.path, f"{found}, where the network has {takes} and {answers}")
        return FittedStrip(
            superimposer=Superimposer(model, self.overlays, self.weights, batch_size=batch_size),
            stages=self.stages,
            calibration=self.calibration,
            threshold=self.threshold,
            kind=self.kind,
            frr=self.frr,
            learning=self.learning,
            mix_why=self.mix_why,
        )


def detector_bytes(detector: FittedStrip, binding: Binding) -> bytes:
    """Return a detector file's content, the same for the same detector and binding.

    Args:
        detector: Fitted on clean images.
        binding: To the network that it was fitted on.

    Raises:
        ResourceError: The overlays are too large.
    """
    pixels, overlays = _stored(detector.overlays)
    description = {
        "schema": parts.SCHEMA,
        "binding": binding.to_json(),
        "pixels": pixels,
        "weights": [float(weight) for weight in detector.superimposer.weights],
        "kind": detector.kind,
        "frr": detector.frr,
        "learning": detector.learning,
        "mix_why": detector.mix_why,
    }
    text = json.dumps(description, allow_nan=False, sort_keys=True).encode()
    stages = detector.stages
    values = (
        *(np.frombuffer(text, np.uint8), overlays, stages.looks),
        *(stages.factor, stages.below, stages.above, detector.calibration, detector.threshold),
    )
    # The first of the types, but for overlays, which have a choice.
    types = [overlays.dtype if name == "overlays" else _ARRAYS[name][0] for name in _ARRAYS]
    typed = map(np.asarray, values, types)
    content = archive.packed(dict(zip(_ARRAYS, typed, strict=True)))
    if len(content) > archive.MOST_BYTES:
        problem = f"expected at most {archive.MOST_BYTES:,} bytes, found {len(content):,}"
        raise ResourceError("DetectorTooLarge", "overlays", problem, "keep fewer --overlays")
    # What cannot be read again is of no use: ValueError for a detector without calibration.
    _detector(Path(), content)
    return content


def read_detector(path: Path | str) -> StoredDetector:
    """Return the detector in a file.

    Raises:
        InputMissingError: There is no such file, or it may not be read.
        DataError: DetectorInvalid: it is no detector that this version can read.
    """
    path = Path(path)
    with require_file(path).open("rb") as file:
        content = file.read(archive.MOST_BYTES + 1)
    if len(content) > archive.MOST_BYTES:
        raise _invalid(path, f"more than {archive.MOST_BYTES:,} bytes")
    try:
        return _detector(path, content)
    except archive.DAMAGED as error:
        raise _invalid(path, str(error) or type(error).__name__) from error


def _detector(path: Path, content: bytes) -> StoredDetector:
    arrays = archive.unpacked(content, _ARRAYS)
    described = parts.description(arrays["description"])
    overlays = parts.overlays(arrays["overlays"], described.get("pixels"))
    return StoredDetector(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        binding=Binding.from_json(described.get("binding")),
        overlays=overlays,
        stages=parts.stages(arrays, len(overlays)),
        calibration=parts.calibration(arrays["calibration"]),
        threshold=parts.threshold(arrays["threshold"]),
        **parts.settings(described),
    )


def _stored(overlays: NDArray[np.float32]) -> tuple[str, Array]:
    """Return how overlays are kept, and the array: as bytes where that loses nothing."""
    if overlays.size and overlays.min() >= 0 and overlays.max() <= parts.WHITE:
        for pixels, scale in (("bytes", np.float32(1)), ("bytes / 255", parts.WHITE)):
            numbers = np.rint(np.minimum(overlays * scale, parts.WHITE)).astype(np.uint8)
            if parts.restored(numbers, pixels).tobytes() == overlays.astype("<f4").tobytes():
                return pixels, numbers
    return "float32", overlays.astype("<f4")


def _invalid(path: Path, found: str) -> DataError:
    problem = f"expected a detector of badrepair, found {' '.join(found.split())[:200]}"
    hint = "fit it anew: badrepair strip --model FILE --clean FILE -o NAME.npz"
    return DataError("DetectorInvalid", path, problem, hint)
