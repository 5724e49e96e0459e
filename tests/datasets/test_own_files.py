"""The user's own files: one to train on and one to test on, or one that is parted."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from PIL import Image

from badrepair import datasets
from badrepair.errors import DataError, InputMissingError, OptionError


def contents(count=10, classes=2, *, seed=0, shape=(6, 5, 3)):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, *shape), dtype=np.uint8)
    images[0] = 255
    return images, np.arange(count) % classes


def save_npz(path, images, labels):
    np.savez(path, data=images, label=labels)
    return path


def save_hdf5(path, images, labels):
    with h5py.File(path, "w") as file:
        file["data"], file["label"] = images, labels
    return path


def save_folder(path, images, labels, names=("cat", "dog")):
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = path / names[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{row}.png")
    return path


SAVE = {"npz": save_npz, "hdf5": save_hdf5, "folder": save_folder}


@pytest.mark.parametrize("kind", SAVE)
def test_of_one_file_a_fifth_of_each_class_is_kept_for_testing(kind, tmp_path):
    images, labels = contents(20)
    path = SAVE[kind](tmp_path / f"mine.{kind}", images, labels)
    source = datasets.load(f"{kind}:{path}")
    assert (source.name, source.classes) == ("mine", 2)
    assert (len(source.training), len(source.test)) == (16, 4)
    # A file's order is not a folder's, but each image is there once.
    both = np.concatenate([source.training.images[:], source.test.images[:]])
    assert both.dtype == np.uint8
    assert sorted(image.tobytes() for image in both) == sorted(image.tobytes() for image in images)
    assert np.bincount(source.test.labels).tolist() == [2, 2]
    of = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    found = [of[image.tobytes()] for image in source.test.images[:]]
    assert found == source.test.labels.tolist()


@pytest.mark.parametrize("kind", SAVE)
def test_the_second_file_is_for_testing(kind, tmp_path):
    first = SAVE[kind](tmp_path / "one", *contents(6))
    second = SAVE[kind](tmp_path / "two", *contents(4, seed=1))
    first, second = (next(tmp_path.glob(f"{path.name}*")) for path in (first, second))
    source = datasets.load(f"{kind}:{first},{second}")
    assert (len(source.training), len(source.test)) == (6, 4)
    images = source.test.images[:]
    expected, _ = contents(4, seed=1)
    assert sorted(image.tobytes() for image in images) == sorted(row.tobytes() for row in expected)
    assert source.training.labels.dtype == source.test.labels.dtype == np.int64


def test_channels_first_floats_and_labels_in_a_column_are_understood(tmp_path):
    images, labels = contents()
    stored = images.transpose(0, 3, 1, 2) / np.float32(255)
    path = save_hdf5(tmp_path / "mine.h5", stored, labels[:, None].astype(np.float64))
    source = datasets.load(f"hdf5:{path}")
    rows = [
        np.flatnonzero((images == image).all(axis=(1, 2, 3)))[0] for image in source.test.images[:]
    ]
    assert labels[rows].tolist() == source.test.labels.tolist()


def test_a_comma_in_the_name_of_a_file_parts_nothing(tmp_path):
    path = save_npz(tmp_path / "a,b.npz", *contents())
    assert datasets.load(f"npz:{path}").name == "a,b"


@pytest.mark.parametrize("place", ["", ",", "a.npz,", "a.npz,b.npz,c.npz"])
def test_neither_one_nor_two_files_are_refused(place):
    with pytest.raises(OptionError, match="expected npz:FILE or npz:TRAINING,TEST"):
        datasets.load(f"npz:{place}")


def test_images_to_train_on_are_no_test(tmp_path):
    one, two = (save_npz(tmp_path / name, *contents()) for name in ("1.npz", "2.npz"))
    with pytest.raises(OptionError, match="alone keeps a fifth") as caught:
        datasets.load(f"npz:{one},{two}")
    assert caught.value.code == "SameInput"


@pytest.mark.parametrize("kind", ["npz", "hdf5", "folder"])
def test_a_file_that_is_not_there_is_named(kind, tmp_path):
    with pytest.raises(InputMissingError, match="nowhere"):
        datasets.load(f"{kind}:{tmp_path / 'nowhere'}")


def test_files_are_no_folders_and_folders_no_files(tmp_path):
    path = save_npz(tmp_path / "1.npz", *contents())
    with pytest.raises(DataError, match="expected folder:PATH to name a folder, found a file"):
        datasets.load(f"folder:{path}")
    with pytest.raises(DataError, match="expected npz:PATH to name a file, found a folder"):
        datasets.load(f"npz:{tmp_path}")


@pytest.mark.parametrize("kind", ["npz", "hdf5"])
def test_a_file_of_another_kind_is_refused(kind, tmp_path):
    (tmp_path / "text").write_text("no data")
    with pytest.raises(DataError, match="text"):
        datasets.load(f"{kind}:{tmp_path / 'text'}")


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    first = save_npz(tmp_path / "1.npz", *contents())
    taller = save_npz(tmp_path / "2.npz", *contents(shape=(8, 5, 3)))
    grey = save_npz(tmp_path / "3.npz", *contents(shape=(6, 5)))
    more = save_npz(tmp_path / "4.npz", *contents(classes=3, seed=1))
    for second, code in ((taller, "ShapeMismatch"), (grey, "ShapeMismatch"), (more, "LabelRange")):
        with pytest.raises(DataError) as caught:
            datasets.load(f"npz:{first},{second}")
        assert caught.value.code == code
        assert caught.value.where == str(second)


def test_folders_whose_classes_have_other_names_do_not_belong_together(tmp_path):
    first = save_folder(tmp_path / "one", *contents())
    second = save_folder(tmp_path / "two", *contents(seed=1), names=("cat", "fox"))
    with pytest.raises(DataError, match="other names") as caught:
        datasets.load(f"folder:{first},{second}")
    assert caught.value.code == "ClassNames"


def test_a_single_class_teaches_nothing(tmp_path):
    path = save_npz(tmp_path / "1.npz", *contents(classes=1))
    with pytest.raises(DataError, match="two classes or more"):
        datasets.load(f"npz:{path}")


def test_too_few_images_to_keep_a_fifth_are_refused(tmp_path):
    path = save_npz(tmp_path / "1.npz", *contents(4))
    with pytest.raises(DataError, match="5 images or more, found 4"):
        datasets.load(f"npz:{path}")


def test_a_file_without_labels_is_refused(tmp_path):
    np.savez(tmp_path / "1.npz", data=contents()[0])
    with pytest.raises(DataError, match="label"):
        datasets.load(f"npz:{tmp_path / '1.npz'}")
