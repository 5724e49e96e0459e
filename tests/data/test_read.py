"""A file's format is told by its content."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from badrepair.data import read, read_images
from badrepair.errors import DataError, InputMissingError

IMAGES = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
LABELS = np.array([1, 0])


def as_hdf5(path):
    with h5py.File(path, "w") as file:
        file["data"], file["label"] = IMAGES, LABELS


def as_npz(path):
    with path.open("wb") as file:
        np.savez(file, x=IMAGES, y=LABELS)


def as_idx(path):
    head = bytes([0, 0, 8, 3]) + np.array(IMAGES.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(head + IMAGES.tobytes()))
    labels = bytes([0, 0, 8, 1, 0, 0, 0, 2, 1, 0])
    path.with_name(path.name.replace("images", "labels")).write_bytes(labels)


def as_folder(path):
    for label, image in zip(LABELS[::-1], IMAGES[::-1], strict=True):
        (path / str(label)).mkdir(parents=True)
        Image.fromarray(image).save(path / str(label) / "a.png")


@pytest.mark.parametrize("save", [as_hdf5, as_npz, as_idx])
@pytest.mark.parametrize("name", ["images", "images.h5", "images.npz", "images.H5", "images.png"])
def test_any_suffix_will_do(tmp_path, save, name):
    save(tmp_path / name)
    raw = read(tmp_path / name)
    assert np.array_equal(raw.images[:], IMAGES)
    assert raw.labels.tolist() == [1, 0]


def test_a_folder_is_read(tmp_path):
    as_folder(tmp_path / "faces")
    raw = read(tmp_path / "faces")
    assert raw.labels.tolist() == [0, 1]
    assert np.array_equal(raw.images[:], IMAGES[::-1, ..., np.newaxis])


def test_keys_reach_the_formats_that_have_them(tmp_path):
    as_hdf5(tmp_path / "f")
    with pytest.raises(DataError, match="the key faces"):
        read(tmp_path / "f", image_key="faces")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "0 bytes"),
        (b"\x89HDF", "4 bytes"),
        (pickle.dumps([1]), "pickle"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x89PNG\r\n\x1a\n", "a single picture"),
        (b"\x93NUMPY\x01\0", "numpy.savez"),
    ],
)
def test_other_files_are_refused_with_what_they_seem_to_be(tmp_path, content, found):
    (tmp_path / "f.h5").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(tmp_path / "f.h5")
    assert caught.value.code == "UnknownFormat"
    assert found in caught.value.problem


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(InputMissingError, match="InputMissing"):
        read(tmp_path / "f.h5")


def test_a_device_is_refused():
    with pytest.raises(DataError, match="NotAFile"):
        read(Path("/dev/zero"))


@pytest.mark.parametrize("kind", ["f.h5", "f.npz", "images.gz", "f.npy"])
def test_images_are_read_from_every_format_without_their_labels(tmp_path, kind):
    path = tmp_path / kind
    if kind == "f.npy":
        np.save(path, IMAGES)
    else:
        {"f.h5": as_hdf5, "f.npz": as_npz, "images.gz": as_idx}[kind](path)
    assert np.array_equal(read_images(path)[:], IMAGES)


def test_images_of_an_unknown_format_are_refused(tmp_path):
    path = tmp_path / "f.pkl"
    path.write_bytes(pickle.dumps(IMAGES))
    with pytest.raises(DataError, match=r"UnknownFormat.*pickle"):
        read_images(path)
    with pytest.raises(InputMissingError):
        read_images(tmp_path / "nowhere.h5")
