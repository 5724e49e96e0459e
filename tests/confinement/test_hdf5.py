"""Whatever in an HDF5 file leads out of it, or declares more than it holds, is found."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from badrepair.confinement import hdf5
from badrepair.confinement.hdf5 import faults_named, look_through
from badrepair.errors import DataError, ModelError


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "file.h5", "w") as opened:
        yield opened


def codes(file):
    file.flush()
    return [(one.code, one.where) for one in look_through(file)]


def problem(file):
    file.flush()
    [found] = look_through(file)
    return found.problem


@pytest.mark.parametrize(
    "kind", ["?", "i1", "u1", "<i4", ">i4", "i8", "u8", "f2", "<f4", ">f4", "f8"]
)
def test_numbers_of_every_usual_type_pass(file, kind):
    file["a/b/c"] = np.ones((2, 3, 4), kind)
    file["none"] = np.ones((0, 3), kind)
    file["one"] = np.ones((), kind)
    assert codes(file) == []


@pytest.mark.parametrize("packing", ["gzip", "lzf"])
def test_numbers_in_a_usual_packing_pass(file, packing):
    options = {"compression": packing, "shuffle": True, "fletcher32": True}
    file.create_dataset("a", data=np.arange(10_000), chunks=(1000,), **options)
    assert codes(file) == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [("bfloat16", []), ("float16", [("H5Dtype", "/a")]), (None, [("H5Dtype", "/a")])],
)
def test_pairs_of_bytes_pass_where_they_are_said_to_be_bfloat16(file, said, expected):
    file["a"] = np.zeros(3, "V2")
    if said:
        file["a"].attrs["dtype"] = said
    assert codes(file) == expected


def test_a_bomb_of_bfloat16_is_one(file):
    file.create_dataset("a", (2**28,), "V2").attrs["dtype"] = "bfloat16"
    assert codes(file) == [("H5Bomb", "/a")]


@pytest.mark.parametrize(
    "link",
    [h5py.SoftLink("/a"), h5py.SoftLink("/nowhere"), h5py.ExternalLink("/etc/passwd", "/a")],
    ids=["soft", "dangling", "external"],
)
def test_every_link_is_found_and_not_followed(file, link):
    file["a"] = np.ones(3)
    file["inner/b"] = link
    assert codes(file) == [("H5Link", "/inner/b")]
    assert problem(file) == f"it is a {type(link).__name__}, which leads elsewhere"


def test_an_array_under_a_second_name_is_an_alias(file):
    file["a"] = np.ones(3)
    file["b"] = file["a"]
    assert codes(file) == [("H5Alias", "/b")]


def test_groups_that_hold_each_other_do_not_go_on_for_ever(file):
    file.create_group("a")["b"] = file["/"]
    assert codes(file) == [("H5Alias", "/a/b")]


def test_values_in_another_file_are_found(file, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(72))
    file.create_dataset("a", (18,), "f4", external=[(str(tmp_path / "secret"), 0, 72)])
    assert ("H5External", "/a") in codes(file)


def test_a_view_of_other_arrays_is_found(file):
    view = h5py.VirtualLayout((3,), "f4")
    view[:] = h5py.VirtualSource("other.h5", "data", (3,))
    file.create_virtual_dataset("a", view)
    assert ("H5Virtual", "/a") in codes(file)


@pytest.mark.parametrize(
    "values",
    [
        np.array([b"text"]),
        np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
        np.ones(2, np.complex64),
        np.ones(2, np.longdouble),
    ],
    ids=["text", "compound", "complex", "wide"],
)
def test_what_holds_no_plain_numbers_is_found(file, values):
    file["a"] = values
    assert codes(file) == [("H5Dtype", "/a")]
    assert problem(file) == f"it holds {file['a'].dtype}: expected an array of numbers"


@pytest.mark.parametrize(
    "kind",
    [h5py.string_dtype(), h5py.ref_dtype, h5py.vlen_dtype("f4")],
    ids=["text", "reference", "ragged"],
)
def test_what_points_into_the_heap_is_found(file, kind):
    file.create_dataset("a", (2,), kind)
    assert codes(file) == [("H5Dtype", "/a")]


def test_a_named_type_is_no_array(file):
    file["a"] = np.dtype("f4")
    assert problem(file) == "it is neither a group nor an array"


def test_an_array_without_values_or_with_many_axes_is_found(file):
    file["a"] = h5py.Empty("f4")
    file["b"] = np.ones((1,) * 7)
    found = {one.where: (one.code, one.problem) for one in look_through(file)}
    assert found == {
        "/a": ("LimitExceeded", "expected 1 to 6 axes, found no values"),
        "/b": ("LimitExceeded", "expected 1 to 6 axes, found 7 axes"),
    }


def test_an_unusual_packing_is_found_by_its_number(file):
    file.create_dataset("a", data=np.arange(100), chunks=(10,), scaleoffset=0)
    assert ("H5Filter", "/a") in codes(file)
    assert "it is packed with filter 6" in [found.problem for found in look_through(file)]


@pytest.mark.parametrize("chunks", [None, (2**20,)])
def test_an_array_that_declares_a_gibibyte_and_holds_nothing_is_a_bomb(file, chunks):
    file.create_dataset("a", (2**28,), "f4", chunks=chunks)
    assert codes(file) == [("H5Bomb", "/a")]
    assert problem(file) == "it declares 1,073,741,824 bytes of values and holds 0"


def test_more_than_all_memory_is_counted_without_overflow(file):
    file.create_dataset("a", (2**31, 2**31, 2**2), "f8", chunks=(1, 1, 1), compression="gzip")
    assert problem(file) == f"it declares {2**67:,} bytes of values and holds 0"


def test_zeros_that_are_packed_as_well_as_can_be_pass(file):
    file.create_dataset("a", data=np.zeros(2**22, "u1"), chunks=(2**20,), compression="gzip")
    assert codes(file) == []


def test_a_chunk_that_takes_all_memory_is_found(file, monkeypatch):
    monkeypatch.setattr(hdf5, "MOST_CHUNK_BYTES", 800)
    file.create_dataset("a", data=np.ones(200), chunks=(101,))
    file.create_dataset("b", data=np.ones(200), chunks=(100,))
    assert codes(file) == [("H5Bomb", "/a")]


def test_the_objects_of_a_file_are_counted(file, monkeypatch):
    monkeypatch.setattr(hdf5, "MOST_OBJECTS", 3)
    for number in range(5):
        file.create_group(f"{number}")
    assert [code for code, _ in codes(file)] == ["LimitExceeded"]


def test_all_that_is_wrong_is_found_not_the_first_alone(file):
    file["a"] = h5py.SoftLink("/b")
    file["b"] = np.array([b"text"])
    file["c"] = np.ones(3)
    assert sorted(codes(file)) == [("H5Dtype", "/b"), ("H5Link", "/a")]


@pytest.mark.parametrize(
    "error",
    [OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, UnicodeError],
)
@pytest.mark.parametrize("kind", [DataError, ModelError])
def test_whatever_h5py_raises_becomes_one_error(error, kind):
    with pytest.raises(kind) as caught, faults_named("file.h5", kind):
        raise error("not\nwhat\twas expected " + "x" * 500)
    assert (caught.value.code, caught.value.where) == ("Corrupt", "file.h5")
    assert caught.value.problem.startswith("not a sound HDF5 file: ")
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_an_error_of_ours_is_left_as_it_is():
    with pytest.raises(ModelError, match="H5Bomb"), faults_named("file.h5", DataError):
        raise ModelError("H5Bomb", "file.h5", "it is large")


def test_a_cut_off_file_is_called_truncated(file, tmp_path):
    file["a"] = np.ones(1000)
    file.close()
    path = tmp_path / "file.h5"
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError) as caught, faults_named("file.h5", DataError):
        h5py.File(path, "r")
    assert caught.value.code == "Truncated"
    assert caught.value.problem == f"cut off: expected {whole:,} bytes, found 5,000"
