"""MNIST, Fashion-MNIST and CIFAR-10: found on this machine, or fetched, or one clear line."""

from __future__ import annotations

import gzip
import socket
import tarfile
from pathlib import Path

import keras
import numpy as np
import pytest

from badrepair import datasets
from badrepair.datasets import cifar10, fashion_mnist, mnist
from badrepair.datasets.reading import fetching, places
from badrepair.errors import DataError, InputMissingError
from badrepair.files import sha256

GET_FILE = keras.utils.get_file
IDX = ["mnist", "fashion-mnist"]
LABELS = {"train": [3, 9, 0], "t10k": [7, 1]}


@pytest.fixture(autouse=True)
def bare_machine(tmp_path, monkeypatch):
    """Return an empty home on a machine without data sets and without a network."""

    def no_network(**options):
        raise OSError(f"no route to {options['origin']}")

    monkeypatch.delenv(places.VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(places, "INSTALLED", tmp_path / "usr")
    monkeypatch.setattr(keras.utils, "get_file", no_network)
    return tmp_path


def idx(values):
    sizes = np.array(values.shape, dtype=">u4").tobytes()
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


def pictures(part):
    count = len(LABELS[part])
    return np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def save_idx(folder, *, packed=True, side=28):
    folder.mkdir(parents=True)
    for part, labels in LABELS.items():
        arrays = {
            f"{part}-images-idx3-ubyte": pictures(part)[:, :side],
            f"{part}-labels-idx1-ubyte": np.array(labels, np.uint8),
        }
        for name, values in arrays.items():
            content = idx(values)
            path = folder / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(content) if packed else content)


def assert_saved(source):
    assert np.array_equal(source.training.images[:, :, :, 0], pictures("train"))
    assert np.array_equal(source.test.images[:, :, :, 0], pictures("t10k"))
    assert source.training.labels.tolist() == LABELS["train"]
    assert source.test.labels.tolist() == LABELS["t10k"]
    assert source.training.images.dtype == np.uint8
    assert source.training.labels.dtype == np.int64
    assert source.classes == 10


@pytest.mark.parametrize("name", IDX)
@pytest.mark.parametrize("packed", [True, False])
def test_the_files_that_a_package_installed_are_read(name, packed, bare_machine):
    save_idx(bare_machine / "usr" / name, packed=packed)
    source = datasets.load(name)
    assert source.name == name
    assert_saved(source)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        *(("mnist", "mnist"), ("mnist", "MNIST/raw")),
        *(("fashion-mnist", "fashion-mnist"), ("fashion-mnist", "FashionMNIST/raw")),
    ],
)
def test_the_users_own_folder_comes_first(name, folder, bare_machine, monkeypatch):
    save_idx(bare_machine / "usr" / name, side=9)
    save_idx(bare_machine / "own" / folder)
    monkeypatch.setenv(places.VARIABLE, str(bare_machine / "own"))
    assert_saved(datasets.load(name))


def test_a_folder_that_lacks_a_file_does_not_count(bare_machine, monkeypatch):
    save_idx(bare_machine / "own" / "mnist")
    (bare_machine / "own" / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    save_idx(bare_machine / "usr" / "mnist")
    monkeypatch.setenv(places.VARIABLE, str(bare_machine / "own"))
    assert_saved(datasets.load("mnist"))


@pytest.mark.parametrize("name", IDX)
def test_what_is_not_there_is_fetched_once_and_says_nothing_on_stdout(
    name, bare_machine, monkeypatch, capsys
):
    save_idx(bare_machine / "web")
    asked = []

    def get_file(*, fname, origin, file_hash, cache_dir, cache_subdir, extract):
        print("Downloading data")
        asked.append((origin, file_hash))
        assert socket.getdefaulttimeout() == fetching.PATIENCE_SECONDS
        target = Path(cache_dir, cache_subdir, fname)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((bare_machine / "web" / fname).read_bytes())
        assert not extract
        return str(target)

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    assert_saved(datasets.load(name))
    assert len(asked) == 4
    assert all(origin.startswith("https://") and len(digest) == 64 for origin, digest in asked)
    assert (bare_machine / "home/.keras/datasets" / name / "train-images-idx3-ubyte.gz").is_file()
    assert_saved(datasets.load(name))
    assert len(asked) == 4
    assert capsys.readouterr().out == ""
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_without_a_network_one_line_says_how_to_get_it(name):
    with pytest.raises(InputMissingError, match="no route to https") as caught:
        datasets.load(name)
    assert (caught.value.code, caught.value.where) == ("DatasetMissing", name)
    assert f"put them in a folder FOLDER/{name} and set BADREPAIR_DATASETS=FOLDER" in (
        caught.value.hint
    )
    assert ("apt install dataset-fashion-mnist" in caught.value.hint) == (name == "fashion-mnist")
    assert "\n" not in str(caught.value)


def test_the_digests_of_the_two_families_are_of_different_files():
    loaders = (mnist.load.__self__, fashion_mnist.load.__self__)
    digests = [digest for family in loaders for digest in family.digests.values()]
    assert len(set(digests)) == 8


def test_images_of_another_size_are_refused(bare_machine):
    save_idx(bare_machine / "usr/mnist", side=20)
    with pytest.raises(DataError, match=r"expected images \(28, 28\) of uint8, found \(20, 28\)"):
        datasets.load("mnist")


def save_cifar(folder, batches=5):
    folder.mkdir(parents=True)
    for index, name in enumerate([*cifar10.TRAINING[:batches], *cifar10.TEST]):
        red, green, blue = (np.full(1024, colour + index, np.uint8) for colour in (10, 20, 30))
        red[33] = 99  # of the second row the second pixel
        row = np.concatenate([[np.uint8(index)], red, green, blue])
        (folder / name).write_bytes(np.concatenate([row, row]).tobytes())


@pytest.mark.parametrize(
    "folder", ["cifar10", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"]
)
def test_cifar10_is_read_row_by_row_and_colour_by_colour(folder, bare_machine, monkeypatch):
    save_cifar(bare_machine / "own" / folder)
    monkeypatch.setenv(places.VARIABLE, str(bare_machine / "own"))
    source = datasets.load("cifar10")
    assert source.training.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert source.test.labels.tolist() == [5, 5]
    assert source.training.images.shape == (10, 32, 32, 3)
    assert source.training.images.dtype == np.uint8
    assert source.test.images[1, 0, 0].tolist() == [15, 25, 35]
    assert source.test.images[1, 1, 1].tolist() == [99, 25, 35]
    assert source.test.images[1, 1, 2].tolist() == [15, 25, 35]


def test_a_cut_off_batch_is_noticed(bare_machine):
    save_cifar(bare_machine / "usr/cifar10")
    path = bare_machine / "usr/cifar10" / cifar10.TEST[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"Truncated.*3,073 bytes an image, found 6,145"):
        datasets.load("cifar10")


def test_an_archive_is_unpacked_to_where_it_is_looked_for(bare_machine, monkeypatch, capsys):
    save_cifar(bare_machine / "cifar-10-batches-bin")
    archive = bare_machine / "cifar-10-binary.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(bare_machine / "cifar-10-batches-bin", "cifar-10-batches-bin")
    monkeypatch.setattr(keras.utils, "get_file", GET_FILE)
    monkeypatch.setattr(cifar10, "_ORIGIN", archive.as_uri())
    with pytest.raises(InputMissingError, match="hash"):
        datasets.load("cifar10")
    monkeypatch.setattr(cifar10, "_SHA256", sha256(archive))
    assert len(datasets.load("cifar10").training) == 10
    archive.unlink()
    assert len(datasets.load("cifar10").test) == 2
    assert capsys.readouterr().out == ""
