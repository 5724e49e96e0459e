"""What is written under a name is what the name promises, and loads again."""

from __future__ import annotations

import json
import logging
import zipfile

import h5py
import keras
import numpy as np
import pytest
from old_keras import answers, fill, small_model, small_weights

from badrepair.errors import OptionError
from badrepair.models.load import load_model
from badrepair.models.save import write_model


@pytest.fixture
def model():
    return fill(small_model(), small_weights())


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.hdf5"])
def test_a_whole_network_loads_again_here_and_in_keras(tmp_path, model, name):
    write_model(model, tmp_path / name)
    ours = load_model(tmp_path / name)
    theirs = keras.models.load_model(tmp_path / name, compile=False)
    np.testing.assert_allclose(answers(ours), answers(model), atol=1e-6)
    np.testing.assert_allclose(answers(theirs), answers(model), atol=1e-6)


def test_each_name_gets_its_format(tmp_path, model):
    for name in ("m.keras", "m.h5", "m.weights.h5"):
        write_model(model, tmp_path / name)
    assert zipfile.is_zipfile(tmp_path / "m.keras")
    with h5py.File(tmp_path / "m.h5") as whole, h5py.File(tmp_path / "m.weights.h5") as weights:
        assert "model_config" in whole.attrs
        assert "model_config" not in weights.attrs
        assert weights["layers/conv2d/vars/0"].shape == (3, 3, 1, 2)


def test_an_existing_file_is_replaced(tmp_path, model):
    path = tmp_path / "m.h5"
    path.write_bytes(b"")
    write_model(model, path)
    assert load_model(path).count_params() == model.count_params()


@pytest.mark.parametrize("name", ["m.pb", "m", "m.H5", "keras"])
def test_another_ending_is_refused_and_nothing_written(tmp_path, model, name):
    with pytest.raises(OptionError, match=r"\.keras, \.h5, \.hdf5, \.weights\.h5") as caught:
        write_model(model, tmp_path / name)
    assert caught.value.code == "OutputFormat"
    assert not list(tmp_path.iterdir())


def test_only_the_note_about_the_old_format_is_silenced(tmp_path, model, caplog):
    logger = logging.getLogger("absl")
    with caplog.at_level(logging.WARNING, logger="absl"):
        write_model(model, tmp_path / "m.h5")
        assert not caplog.records
        logger.warning("You are saving your model as an HDF5 file again")
    assert len(caplog.records) == 1


def test_an_archive_bears_no_time_of_day(tmp_path, model):
    write_model(model, tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("metadata.json")) == {"keras_version": keras.__version__}


def test_weights_alone_are_what_keras_writes(tmp_path, model):
    write_model(model, tmp_path / "ours.weights.h5")
    model.save_weights(tmp_path / "theirs.weights.h5")
    ours, theirs = (contents(tmp_path / f"{whose}.weights.h5") for whose in ("ours", "theirs"))
    assert ours == theirs


def contents(path):
    """Return the names, attributes and values of all that is in an HDF5 file."""
    found = []

    def look(name, entry):
        values = entry[()].tolist() if isinstance(entry, h5py.Dataset) else None
        found.append((name, dict(entry.attrs), values))

    with h5py.File(path) as file:
        file.visititems(look)
    return found
