"""A data set is named by a spec, and is pixels and classes whatever it was."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from badrepair import datasets
from badrepair.errors import OptionError


def test_the_data_sets_are_the_files_of_the_package():
    expected = ("cifar10", "digits", "fashion-mnist", "folder", "hdf5", "mnist", "npz")
    assert datasets.names() == expected


def test_listing_them_imports_neither_keras_nor_any_of_them():
    code = (
        "import sys; from badrepair import datasets; datasets.names();"
        "print([name for name in ('keras', 'h5py', 'PIL', 'badrepair.datasets.digits')"
        " if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_the_digits_are_parted_once_and_for_all():
    source = datasets.load("digits")
    assert (len(source.training), len(source.test), source.classes) == (898, 899, 10)
    assert source.training.images.shape == (898, 24, 24, 1)
    images = source.training.images[:]
    assert (images.dtype, images.min(), images.max()) == (np.uint8, 0, 255)
    assert source.training.labels.dtype == np.int64
    again = datasets.load("digits")
    assert np.array_equal(again.test.images[:], source.test.images[:])
    # Of 174 to 183 of a class half is 87 to 91.5, give or take one.
    counts = np.bincount(source.test.labels)
    assert counts.min() >= 86
    assert counts.max() <= 93


@pytest.mark.parametrize("spec", ["", "imagenet", "Digits", "reading", "fashion_mnist"])
def test_what_is_no_data_set_is_refused_with_those_that_are(spec):
    with pytest.raises(OptionError, match="cifar10, digits, fashion-mnist") as caught:
        datasets.load(spec)
    assert caught.value.code == "Unknown"


@pytest.mark.parametrize("name", ["digits", "fashion-mnist", "mnist", "cifar10"])
def test_a_data_set_with_files_of_its_own_takes_none(name):
    with pytest.raises(OptionError, match=f"expected {name} alone, found {name}:mine.h5"):
        datasets.load(f"{name}:mine.h5")
