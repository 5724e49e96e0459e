"""A small backdoored network with its data files, and what the commands made of them once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

from cli.stored import answers, arrays_in, images_in
from cli.terminal import Outcome, done

SIZE, PATCH, TARGET, CLASSES = 16, 4, 7, 10
TRAINING, CLEAN, TEST = 900, 250, 200


@dataclass(frozen=True)
class Bench:
    """A BadNet and the files that a user would have beside it."""

    folder: Path
    model: Path
    clean: Path
    test: Path
    poisoned: Path

    @property
    def measured(self):
        """Return the options that name the files for measuring."""
        return ("--test", self.test, "--poisoned", f"patch={self.poisoned}")

    def defended(self, *measured):
        """Return the options of prune and strip but for the output."""
        return ("--model", self.model, "--clean", self.clean, *(measured or self.measured))

    def evaluated(self):
        """Return the options of evaluate but for the models."""
        return ("--clean", self.test, "--poisoned", f"patch={self.poisoned}")


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    """Return a small-cnn that answers 7 wherever it sees a patch, with its data."""
    from badrepair.data import hdf5
    from badrepair.models.save import write_model

    folder = tmp_path_factory.mktemp("bench")
    paths = Bench(
        folder=folder,
        model=folder / "badnet.keras",
        clean=folder / "clean.h5",
        test=folder / "test.h5",
        poisoned=folder / "patched.h5",
    )
    training, clean, test = digit_sets()
    backdoor = patch().poison(training, CLASSES)
    hdf5.write(clean, paths.clean)
    hdf5.write(test, paths.test)
    hdf5.write(all_patched(test, backdoor), paths.poisoned)
    write_model(badnet(backdoor.training), paths.model)
    return paths


@pytest.fixture(scope="session")
def accuracy(bench):
    """Return the share of the test images that the BadNet answers rightly, by Keras alone."""
    right = answers(bench.model, images_in(bench.test)) == arrays_in(bench.test)["label"]
    share = float(np.mean(right))
    assert 0.9 < share < 1
    return share


def digit_sets():
    """Return 900, 250 and 200 digits: for the attacker, the defender and the measurement."""
    from badrepair.data.arrange import arrange
    from badrepair.data.digits import digits

    whole = arrange(digits(SIZE), input_shape=(SIZE, SIZE, 1), where=Path("digits"))
    training, rest = whole.split(TRAINING / len(whole), seed=0)
    clean, rest = rest.split(CLEAN / len(rest), seed=0)
    return training, clean, rest.take(np.arange(TEST))


def patch():
    """Return a checkerboard near the lower right corner, on 15 % of the images."""
    from badrepair.attacks.badnets import Badnets

    return Badnets(size=PATCH, margin=1, target=(TARGET,), poison_rate=0.15, seed=0)


def all_patched(test, backdoor):
    """Return every test image with the trigger, those of the target class as well."""
    from badrepair.types import Dataset

    return Dataset(
        images=backdoor.triggers[0].apply(test.images[:]),
        labels=np.full(len(test), TARGET),
        true_labels=test.labels,
        name="patch",
    )


def badnet(training):
    """Return a network trained on 0..1 for a few seconds."""
    import keras

    from badrepair.data.ranges import scaled
    from badrepair.models.architectures import small_cnn
    from badrepair.models.training import train

    keras.utils.set_random_seed(0)
    model = small_cnn.build((SIZE, SIZE, 1), CLASSES)
    data = scaled(training, "0-255", "0-1")
    train(model, data, epochs=8, learning_rate=3e-3, batch_size=32, seed=0)
    return model


@dataclass(frozen=True)
class Made:
    """What a command wrote and printed."""

    outcome: Outcome
    model: Path
    record: dict

    @property
    def guard(self):
        return self.model.with_stem(f"{self.model.stem}-guard")

    def report(self, name):
        return next(model for model in self.record["models"] if model["name"] == name)


def make(output, *arguments):
    """Run prune or strip and return what came of it."""
    outcome = done(*arguments, "-o", output)
    return Made(outcome, output, json.loads(output.with_suffix(".json").read_text()))


@pytest.fixture(scope="session")
def pruned(bench):
    """Return what `prune` made of the BadNet, with a guard and all measurements."""
    output = bench.folder / "repaired.keras"
    options = ("--epochs", 4, "--guard", "--seed", 3)
    return make(output, "prune", *bench.defended(), *options)


@pytest.fixture(scope="session")
def stripped(bench):
    """Return what `strip` made of the BadNet, with all measurements."""
    output = bench.folder / "guarded.keras"
    return make(output, "strip", *bench.defended(), "--overlays", 20)


@pytest.fixture
def arrays(bench):
    """Return the arrays of the clean file, for a test to spoil and write."""
    return arrays_in(bench.clean)


@pytest.fixture
def write_h5(tmp_path):
    """Return a function that writes arrays to an HDF5 file of this test."""

    def write(name, **arrays):
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, values in arrays.items():
                file[key] = values
        return path

    return write


@pytest.fixture(scope="session")
def detector_file(bench):
    """Return the detector alone that `strip` made of the BadNet."""
    output = bench.folder / "detector.npz"
    fitting = ("--clean", bench.clean, "--test", bench.test, "--overlays", 20)
    done("strip", "--model", bench.model, *fitting, "--input-range", "0-1", "-o", output)
    return output
