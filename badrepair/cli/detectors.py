"""Open a detector's file together with the network that it was made for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from badrepair.cli import console
from badrepair.cli.inputs import arch_file
from badrepair.detectors.binding import ModelIdentity
from badrepair.detectors.file import StoredDetector, read_detector
from badrepair.errors import InputMissingError, OptionError
from badrepair.models.load import load_model
from badrepair.trusting import warn_of_strangers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from badrepair.cli.strip import StripOptions
    from badrepair.detectors.fitted_strip import FittedStrip


@dataclass(frozen=True, kw_only=True)
class OpenedDetector:
    """A detector, and the files of its network.

    Args:
        stored: As the file has it.
        model: The network's file.
        weights: The file that its weights are of instead, if any.
        arch: What its layers are of instead, if anything: a file or a built-in network's name.
        trusted: Digests of files in which layers that are not known pass.
        identity: Of these files.
    """

    stored: StoredDetector
    model: Path
    weights: Path | None
    arch: str | None
    trusted: Sequence[str]
    identity: ModelIdentity

    @property
    def files(self) -> tuple[Path, ...]:
        """Return all files: the detector's first, then the network's."""
        named = (self.stored.path, self.model, self.weights, arch_file(self.arch))
        return tuple(path for path in named if path is not None)

    def fitted(self, *, batch_size: int | None) -> FittedStrip:
        """Load the network and return the detector at work.

        Args:
            batch_size: Mixes a call; found out by trying if None.
        """
        warn_of_strangers(self.files, self.trusted)
        model = load_model(self.model, weights=self.weights, arch=self.arch, trusted=self.trusted)
        return self.stored.fitted(model, self.identity, batch_size=batch_size)


def open_detector(options: StripOptions) -> OpenedDetector:
    """Return the detector of `--detector`, without loading its network yet.

    The network is what `--model`, `--weights` and `--arch` say, and else is looked for where it
    was when the detector was made, and beside the detector.

    Raises:
        DataError: It is no detector.
        InputMissingError: The network is not there.
        ModelError: It is another one than the detector's.
        OptionError: `--input-range` is another one than the detector's.
    """
    assert options.detector is not None
    stored = read_detector(options.detector)
    asked = options.input_range.value
    if asked not in {"auto", stored.binding.input_range}:
        problem = f"the detector was made for pixels in {stored.binding.input_range}, found {asked}"
        raise OptionError("RangeMismatch", "--input-range", problem, "leave it out")
    if options.color.value != stored.binding.color:
        console.note(
            f"the images that calibrated were read as {stored.binding.color}, these are read as"
            f" {options.color.value}: --color {stored.binding.color} reads them alike"
        )
    opened = _with_network(options, stored)
    stored.binding.identity.require(opened.identity)
    return opened


def _with_network(options: StripOptions, stored: StoredDetector) -> OpenedDetector:
    binding = stored.binding
    weights, arch = options.weights, options.arch
    if weights is None and binding.weights:
        weights = _recorded(stored, "weights")
    if arch is None and binding.arch:
        is_name = binding.identity.arch == binding.arch
        arch = binding.arch if is_name else str(_recorded(stored, "arch"))
    model = options.model or _recorded(stored, "model")
    if options.model is None:
        console.note(f"{stored.path} was made for {model}")
    return OpenedDetector(
        stored=stored,
        model=model,
        weights=weights,
        arch=arch,
        trusted=options.trust_model,
        identity=ModelIdentity.of_files(model, weights=weights, arch=arch),
    )


def _recorded(stored: StoredDetector, role: str) -> Path:
    """Return where a file of the network is that the user did not name."""
    recorded = Path(getattr(stored.binding, role))
    for path in (recorded, stored.path.with_name(recorded.name)):
        if os.path.isfile(path):
            return path
    problem = f"expected the file that {stored.path} was made for, found none, here or beside it"
    raise InputMissingError("ModelMissing", recorded, problem, f"--{role} FILE names it")
