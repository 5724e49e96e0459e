"""IDX, the format of MNIST."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from badrepair.data import idx
from badrepair.errors import DataError, InputMissingError

IMAGES = np.arange(4 * 3 * 5, dtype=np.uint8).reshape(4, 3, 5)
LABELS = np.array([7, 0, 9, 1], dtype=np.uint8)


def encoded(array, code=0x08):
    sizes = np.array(array.shape, dtype=">u4").tobytes()
    return bytes([0, 0, code, array.ndim]) + sizes + array.tobytes()


def save(path, content):
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
        ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte"),
        ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte.gz"),
    ],
)
def test_a_pair_is_found_by_its_names(tmp_path, images, labels):
    path = save(tmp_path / images, encoded(IMAGES))
    save(tmp_path / labels, encoded(LABELS))
    assert idx.recognises(path)
    raw = idx.read(path)
    assert raw.images.shape == (4, 3, 5)
    assert np.array_equal(raw.images[np.array([2, 0])], IMAGES[[2, 0]])
    assert raw.labels.tolist() == [7, 0, 9, 1]


def test_big_endian_values_are_read_right(tmp_path):
    path = save(tmp_path / "images", encoded(np.array([[[1, 258]]], dtype=">i2"), 0x0B))
    save(tmp_path / "labels", encoded(np.array([3], dtype=">i4"), 0x0C))
    raw = idx.read(path)
    assert raw.images[:].tolist() == [[[1, 258]]]
    assert raw.labels.tolist() == [3]


def test_a_missing_labels_file_is_named(tmp_path):
    path = save(tmp_path / "train-images-idx3-ubyte.gz", encoded(IMAGES))
    with pytest.raises(InputMissingError, match=r"LabelsMissing.*labels-idx1-ubyte\.gz beside"):
        idx.read(path)


def test_a_name_without_images_in_it_has_no_labels_file(tmp_path):
    path = save(tmp_path / "digits", encoded(IMAGES))
    with pytest.raises(InputMissingError, match="a name with 'images' in it"):
        idx.read(path)


def test_the_labels_file_itself_is_refused(tmp_path):
    path = save(tmp_path / "train-labels-idx1-ubyte", encoded(LABELS))
    with pytest.raises(DataError, match="give the images file"):
        idx.read(path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_missing_bytes_are_noticed(tmp_path, suffix):
    path = save(tmp_path / f"images{suffix}", encoded(IMAGES)[:-7])
    with pytest.raises(DataError, match="Truncated"):
        idx.read(path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_surplus_bytes_are_noticed(tmp_path, suffix):
    path = save(tmp_path / f"images{suffix}", encoded(IMAGES) + b"!")
    with pytest.raises(DataError, match=r"Corrupt.*declares 60 bytes"):
        idx.read(path)


def test_a_cut_off_gzip_is_noticed(tmp_path):
    path = save(tmp_path / "images.gz", encoded(IMAGES))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="Truncated"):
        idx.read(path)


def test_a_wrong_checksum_is_noticed(tmp_path):
    path = save(tmp_path / "images.gz", encoded(IMAGES))
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="CRC"):
        idx.read(path)


def test_a_header_that_ends_early_is_refused(tmp_path):
    path = save(tmp_path / "images", encoded(IMAGES)[:9])
    with pytest.raises(DataError, match="UnknownFormat"):
        idx.read(path)


@pytest.mark.parametrize("content", [b"", b"\0\0", b"\0\0\x07\3", b"\0\0\x08\0", b"\x89HDF"])
def test_other_content_is_not_recognised(tmp_path, content):
    assert not idx.recognises(save(tmp_path / "f", content))
    assert not idx.recognises(save(tmp_path / "f.gz", content))


def test_a_broken_gzip_is_not_recognised(tmp_path):
    (tmp_path / "f").write_bytes(b"\x1f\x8b\x08\0broken gzip")
    assert not idx.recognises(tmp_path / "f")


def test_images_are_read_where_there_are_no_labels(tmp_path):
    path = save(tmp_path / "pictures.gz", encoded(IMAGES))
    assert np.array_equal(idx.read_images(path)[:], IMAGES)
    with pytest.raises(InputMissingError):
        idx.read(path)
    with pytest.raises(DataError, match="ShapeMismatch"):
        idx.read_images(save(tmp_path / "labels", encoded(LABELS)))
