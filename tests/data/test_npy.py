"""NumPy's .npy, a single array without labels."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from badrepair.data import npy
from badrepair.errors import DataError

IMAGES = np.arange(4 * 5 * 6 * 3, dtype=np.uint16).reshape(4, 5, 6, 3)


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "f.npy", IMAGES)
    return tmp_path / "f.npy"


def test_an_array_is_read_lazily(path):
    images = npy.read_images(path)
    assert not isinstance(images, np.ndarray)
    assert images.shape == (4, 5, 6, 3)
    assert np.array_equal(images[1:3], IMAGES[1:3])
    assert np.array_equal(images[np.array([3, 0, 3])], IMAGES[[3, 0, 3]])


def test_columns_first_order_is_read_too(path):
    np.save(path, np.asfortranarray(IMAGES))
    assert np.array_equal(npy.read_images(path)[1:3], IMAGES[1:3])


def test_no_image_is_no_fault_of_the_file(path):
    np.save(path, np.asfortranarray(IMAGES[:0]))
    assert npy.read_images(path).shape == (0, 5, 6, 3)


def test_it_is_told_by_its_first_bytes(path, tmp_path):
    assert npy.recognises(path)
    np.savez(tmp_path / "f.npz", IMAGES)
    assert not npy.recognises(tmp_path / "f.npz")


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda content: content[:-1], "Truncated"),
        (lambda content: content + b"0", "Corrupt"),
        (lambda content: content[:20], "Corrupt"),
        (lambda content: content[:6] + b"\x09" + content[7:], "Corrupt"),
        (lambda content: content.replace(b"descr", b"ascii"), "Corrupt"),
    ],
)
def test_a_damaged_file_is_one_line(path, damage, code):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError) as caught:
        npy.read_images(path)
    assert caught.value.code == code


def test_python_objects_are_refused_not_unpickled(path):
    np.save(path, np.array([open, None]), allow_pickle=True)
    with pytest.raises(DataError, match="PickleRefused"):
        npy.read_images(path)


def test_a_header_that_claims_more_than_there_is_takes_no_memory(path):
    content = path.read_bytes().replace(b"(4, 5, 6, 3), ", b"(40000000000,)")
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"Truncated.*80,000,000,000 bytes"):
            npy.read_images(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "fields",
    ["(" * 9_000, "-" * 9_000 + "1", "{[]: 1}", "{}", "1", "", "{'descr': 1, 'shape': 2, 'x': 3}"],
)
def test_a_header_that_is_none_is_one_clear_error(path, fields):
    text = fields.encode() + b"\n"
    path.write_bytes(npy.MAGIC + b"\1\0" + len(text).to_bytes(2, "little") + text)
    with pytest.raises(DataError, match=r"Corrupt.*the array cannot be read as \.npy"):
        npy.read_images(path)


def test_a_header_of_a_gibibyte_is_refused_before_it_is_read(path):
    with path.open("wb") as file:
        file.write(npy.MAGIC + b"\2\0" + (2**30).to_bytes(4, "little"))
        file.truncate(2**30)
    with pytest.raises(DataError, match=r"Corrupt.*a header of 1,073,741,824 bytes") as caught:
        npy.read_images(path)
    assert "allow_pickle" not in str(caught.value)


@pytest.mark.parametrize("shape", [(-2, -2), (0, 10**30), (1,) * 7])
def test_a_shape_that_no_images_have_is_refused(path, shape):
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(4))
    with pytest.raises(DataError, match=r"Corrupt.*declares the shape"):
        npy.read_images(path)
