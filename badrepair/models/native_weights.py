"""Weights in the layout of Keras 3: a group a layer, `layers/<class>_<k>/vars/<i>`.

The groups are named by class and count, not by layer, so that only Keras knows which network
they fit: it does the assigning. What it is given was looked through first.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

from badrepair.errors import ModelError
from badrepair.models import hdf5
from badrepair.models.weights import MISFIT_HINT, leaves, misfit, refuse_unfinished

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import keras

    from badrepair.models.weights import Shapes

VARIABLES = "vars"
ROOTS = ("layers", "_layer_checkpoint_dependencies")
# Keras accepts a weights file under no other ending.
ENDING = ".weights.h5"
RANDOM_STATE = "seed_generator"


@dataclass(frozen=True)
class NativeWeights:
    """A weights file as Keras 3 writes it.

    Args:
        path: The file to name in errors.
        source: The HDF5 file, or its bytes where it lies inside a `.keras` file.
        found: Shapes by layer name, in the order of the file.
        parameters: How many numbers the layers hold together, without random states.
    """

    path: Path
    source: Path | bytes
    found: Mapping[str, Shapes]
    parameters: int

    def shapes(self) -> Mapping[str, Shapes]:
        """Return the shapes of every layer's weights; names are the file's."""
        return self.found

    def assign(self, model: keras.Model) -> None:
        """Let Keras give the weights to a built network.

        Raises:
            ModelError: WeightsMismatch; the network is then half filled and of no use.
        """
        if self.parameters != model.count_params():
            raise self._misfit(model, "")
        try:
            self._load_into(model)
        except (ValueError, KeyError, TypeError) as error:
            raise self._misfit(model, " ".join(str(error).split())[:200]) from error

    def _load_into(self, model: keras.Model) -> None:
        if isinstance(self.source, Path) and self.source.name.endswith(ENDING):
            model.load_weights(self.source)
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, f"model{ENDING}")
            if isinstance(self.source, Path):
                shutil.copyfile(self.source, copy)
            else:
                copy.write_bytes(self.source)
            model.load_weights(copy)

    def _misfit(self, model: keras.Model, reason: str) -> ModelError:
        layers = (leaf for leaf in leaves(model) if leaf.weights)
        expected = {leaf.name: tuple(tuple(one.shape) for one in leaf.weights) for leaf in layers}
        if expected != self.found and expected.keys() & self.found.keys():
            return misfit(self.path, expected, self.found)
        counts = f"the network has {model.count_params():,} weights, the file {self.parameters:,}"
        return ModelError("WeightsMismatch", self.path, reason or counts, MISFIT_HINT)


def read_native(file: h5py.File, path: Path, source: Path | bytes) -> NativeWeights:
    """Look through a Keras 3 weights file; see `NativeWeights`."""
    found: dict[str, Shapes] = {}
    parameters = 0
    for place, variables in _groups(file):
        name = hdf5.text(variables.attrs.get("name", place))
        arrays = [hdf5.numbers(variables[key], path) for key in sorted(variables, key=int)]
        refuse_unfinished(name, arrays, path)
        parameters += sum(array.size for array in arrays)
        if arrays:
            found[name] = tuple(array.shape for array in arrays)
    return NativeWeights(path, source, found, parameters)


def _groups(file: h5py.File) -> Iterator[tuple[str, h5py.Group]]:
    """Yield (place, variables) of everything below the layers that holds weights."""
    waiting = [(root, file[root]) for root in ROOTS if root in file]
    while waiting:
        place, group = waiting.pop()
        for name, child in group.items():
            if name == VARIABLES:
                yield place.partition("/")[2], child
            elif isinstance(child, h5py.Group) and not name.startswith(RANDOM_STATE):
                waiting.append((f"{place}/{name}", child))
