"""Weights are listed from either layout, by layer and in order, and are arrays of numbers."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from badrepair.errors import ModelError
from badrepair.models.gate import layouts


@pytest.fixture
def file():
    with h5py.File("in memory", "w", driver="core", backing_store=False) as opened:
        yield opened


def array(*shape):
    return np.zeros(shape, np.float32)


def legacy(file, layers, *, text=bytes, chunk=None):
    """Store {layer: {weight name: array}} as Keras 2 did."""
    name_all(file, "layer_names", list(layers), text, chunk)
    for layer, weights in layers.items():
        group = file.create_group(layer)
        name_all(group, "weight_names", list(weights), text, chunk)
        for name, values in weights.items():
            group[name] = values


def name_all(group, attribute, names, text, chunk):
    stored = names if text is str else np.array([name.encode() for name in names], dtype="S")
    if chunk is None or not names:
        group.attrs[attribute] = stored
        return
    for index, start in enumerate(range(0, len(names), chunk)):
        group.attrs[f"{attribute}{index}"] = stored[start : start + chunk]


TWO = {
    "conv": {"conv/kernel:0": array(3, 3, 1, 2), "conv/bias:0": array(2)},
    "pool": {},
    "inner": {"inner/a/kernel:0": array(4, 5), "inner/b/kernel:0": array(5, 6)},
}


@pytest.mark.parametrize("text", [bytes, str])
@pytest.mark.parametrize("chunk", [None, 1, 2])
def test_the_old_layout_is_listed_in_the_order_of_its_names(file, text, chunk):
    legacy(file, TWO, text=text, chunk=chunk)
    assert layouts.layout_of(file) == "legacy"
    conv, inner = layouts.groups(file, "legacy", "f")
    assert (conv.name, conv.place) == ("conv", "conv")
    assert conv.keys == (("conv", "kernel"), ("conv", "bias"))
    assert [one.shape for one in conv.arrays] == [(3, 3, 1, 2), (2,)]
    assert inner.keys == (("a", "kernel"), ("b", "kernel"))
    assert [one.shape for one in inner.arrays] == [(4, 5), (5, 6)]


def test_where_a_random_number_generator_of_keras_2_stood_is_no_weight(file):
    weights = {"flip/StateVar:0": np.zeros(3, np.int64), "kernel:0": array(2)}
    legacy(file, {"flip": weights})
    [flip] = layouts.groups(file, "legacy", "f")
    assert flip.keys == (("", "kernel"),)


def native(file, root="layers", **layers):
    for place, (name, arrays) in layers.items():
        group = file.create_group(f"{root}/{place}/vars")
        if name:
            group.attrs["name"] = name
        for number, values in arrays.items():
            group[number] = values


@pytest.mark.parametrize("root", layouts.ROOTS)
def test_the_new_layout_is_listed_by_place_with_the_name_that_it_says(file, root):
    native(file, root, conv2d=("conv_1", {"0": array(3, 3, 1, 2), "1": array(2)}), flatten=("", {}))
    assert layouts.layout_of(file) == "native"
    [conv] = layouts.groups(file, "native", "f")
    assert (conv.name, conv.place) == ("conv_1", f"{root}/conv2d")
    assert conv.keys == (("conv_1", "0"), ("conv_1", "1"))
    assert [one.shape for one in conv.arrays] == [(3, 3, 1, 2), (2,)]


def test_a_place_of_the_new_layout_that_says_no_name_is_named_by_itself(file):
    native(file, dense_1=("", {"0": array(2)}))
    [dense] = layouts.groups(file, "native", "f")
    assert dense.name == "dense_1"


def test_the_arrays_of_the_new_layout_are_counted_not_spelt(file):
    numbers = {str(number): array(number + 1) for number in range(12)}
    native(file, attention=("attention", numbers))
    [found] = layouts.groups(file, "native", "f")
    assert [one.shape for one in found.arrays] == [(number + 1,) for number in range(12)]


def test_nested_models_of_the_new_layout_are_found(file):
    native(file, **{"functional/layers/conv2d": ("inner_conv", {"0": array(2)})})
    [inner] = layouts.groups(file, "native", "f")
    assert (inner.name, inner.place) == ("inner_conv", "layers/functional/layers/conv2d")


@pytest.mark.parametrize("layout", ["legacy", "native"])
def test_what_is_no_array_of_numbers_is_refused_by_its_place(file, layout):
    words = np.array([b"a", b"b"])
    if layout == "legacy":
        legacy(file, {"dense": {"dense/kernel:0": words}})
        place = "/dense/dense/kernel:0"
    else:
        native(file, dense=("dense", {"0": words}))
        place = "/layers/dense/vars/0"
    with pytest.raises(ModelError) as caught:
        layouts.groups(file, layout, "model.h5")
    assert (caught.value.code, caught.value.where) == ("H5Dtype", "model.h5")
    assert caught.value.problem == f"{place}: it holds |S1: expected an array of numbers"


def test_a_group_in_the_place_of_an_array_is_refused(file):
    legacy(file, {"dense": {}})
    name_all(file["dense"], "weight_names", ["kernel:0"], bytes, None)
    file.create_group("dense/kernel:0")
    with pytest.raises(ModelError) as caught:
        layouts.groups(file, "legacy", "f")
    assert caught.value.problem == "/dense/kernel:0: it is neither a group nor an array"


def test_a_file_of_neither_layout_has_none(file):
    file["data"], file["label"] = array(2), array(2)
    assert layouts.layout_of(file) is None
    error = layouts.unknown(file, "f")
    assert error.code == "UnknownFormat"
    assert error.problem.endswith("found HDF5 with data, label")
    assert error.hint == "this looks like a data file"


def test_an_empty_file_holds_nothing(file):
    assert layouts.unknown(file, "f").problem.endswith("found HDF5 with nothing")
    assert layouts.unknown(file, "f").hint == ""


@pytest.mark.parametrize("value", ["name", b"name", np.bytes_(b"name"), np.str_("name")])
def test_a_text_is_read_however_h5py_gives_it(value):
    assert layouts.text(value) == "name"


def test_bfloat16_is_known_by_its_bits_and_by_what_is_said_beside_them(file):
    kinds = {"bits": "V2", "numbers": "<f8", "liar": "<u4"}
    for name, kind in kinds.items():
        file[name] = np.zeros(3, kind)
        file[name].attrs["dtype"] = "bfloat16"
    found = [layouts.type_of(file[name]) for name in kinds]
    assert found == ["bfloat16", "<f8", "<u4"]
