"""List the weights in an HDF5 file, in the layout of Keras 1 and 2 or in that of Keras 3.

The old layout, which every whole `.h5` has: a group a layer, named in the attribute `layer_names`;
in it the arrays that `weight_names` lists, the trainable ones first. A nested model is one such
layer with all its arrays in a row. The new one: `layers/<class>_<k>/vars/<i>`, a group a layer
named by class and count, which only Keras can match with a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import h5py

from badrepair.confinement.hdf5 import BFLOAT16, array_faults, is_bfloat16
from badrepair.errors import ModelError
from badrepair.models.gate.magic import EXPECTED
from badrepair.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

Layout = Literal["legacy", "native"]
VARIABLES = "vars"
ROOTS = ("layers", "_layer_checkpoint_dependencies")
# State of random number generators: Keras 2 stored it among the weights, Keras 3 beside them.
RANDOM_STATE = ("StateVar", "seed_generator")


@dataclass(frozen=True)
class Group:
    """The arrays of one layer.

    Args:
        name: The layer's name as the file has it.
        place: Where in the file; what Keras 3 asks for.
        keys: For every array (layer, weight), such as ("conv_1", "kernel").
        arrays: In the order of the file.
    """

    name: str
    place: str
    keys: tuple[tuple[str, str], ...]
    arrays: tuple[h5py.Dataset, ...]


def layout_of(file: h5py.File) -> Layout | None:
    """Return how a file stores weights; None if it holds none."""
    if "layer_names" in file.attrs or "layer_names0" in file.attrs:
        return "legacy"
    return "native" if any(root in file for root in ROOTS) else None


def groups(file: h5py.Group, layout: Layout, where: str) -> list[Group]:
    """Return the layers that have weights, in the order of the file.

    Args:
        file: The file itself, or its `model_weights`.
        layout: From `layout_of`.
        where: What to call the file in errors.

    Raises:
        ModelError: H5Dtype, if something else stands where an array should be.
    """
    found = list((_legacy if layout == "legacy" else _native)(file))
    for group in found:
        for array in group.arrays:
            for fault in array_faults(array, str(getattr(array, "name", group.place))):
                raise ModelError(fault.code, where, fault.sentence, fault.hint)
    return [group for group in found if group.arrays]


def unknown(file: h5py.File, where: str) -> ModelError:
    """Return the error that says what is in a file without weights."""
    keys = printable(", ".join(list(file)[:5]))[:200] or "nothing"
    hint = "this looks like a data file" if {"data", "label"} & set(file) else ""
    return ModelError("UnknownFormat", where, f"{EXPECTED}, found HDF5 with {keys}", hint)


def text(value: Any) -> str:
    """Return a string attribute, which h5py gives as str or as bytes."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def type_of(array: h5py.Dataset) -> str:
    """Return the type of an array's numbers."""
    return BFLOAT16 if is_bfloat16(array) else str(array.dtype.str)


def _legacy(file: h5py.Group) -> Iterator[Group]:
    for name in _texts(file, "layer_names"):
        stored = file[name]
        names = [one for one in _texts(stored, "weight_names") if _key(one)[1] not in RANDOM_STATE]
        arrays = tuple(stored[one] for one in names)
        yield Group(name, name, tuple(_key(one) for one in names), arrays)


def _native(file: h5py.Group) -> Iterator[Group]:
    waiting = [(root, file[root]) for root in reversed(ROOTS) if root in file]
    while waiting:
        place, group = waiting.pop()
        for name, child in group.items():
            if name == VARIABLES:
                label = text(child.attrs.get("name", place.partition("/")[2]))
                numbers = sorted(child, key=int)
                keys = tuple((label, number) for number in numbers)
                yield Group(label, place, keys, tuple(child[number] for number in numbers))
            elif isinstance(child, h5py.Group):
                waiting.append((f"{place}/{name}", child))


def _texts(group: h5py.Group, name: str) -> tuple[str, ...]:
    """Return a list of strings from an attribute, joined where Keras cut it into chunks."""
    if name in group.attrs:
        return tuple(text(value) for value in group.attrs[name])
    chunks: list[str] = []
    while (part := f"{name}{len(chunks)}") in group.attrs:
        chunks.append(part)
    return tuple(text(value) for part in chunks for value in group.attrs[part])


def _key(weight_name: str) -> tuple[str, str]:
    *owners, weight = weight_name.split("/")
    return (owners[-1] if owners else "", weight.split(":")[0])
