"""A detector's file finds the network that it was made for, and takes no other."""

from __future__ import annotations

import json
import shutil

import keras
import pytest

from badrepair.files import sha256
from cli.screenings import done, rows_in, screened
from cli.terminal import assert_complaint, assert_refused, listing
from cli.terminal import done as typed

FEW = ("--limit", 20)


@pytest.fixture
def moved(bench, detector_file, tmp_path):
    """Return a detector in a folder of its own, whose model is not where it was."""
    from dataclasses import replace

    from badrepair.detectors.file import detector_bytes, read_detector

    stored = read_detector(detector_file)
    fitted = stored.fitted(keras.saving.load_model(bench.model), stored.binding.identity)
    folder = tmp_path / "moved"
    folder.mkdir()
    gone = replace(stored.binding, model="/nowhere/at/all/badnet.keras")
    (folder / "d.npz").write_bytes(detector_bytes(fitted, gone))
    return folder / "d.npz"


def verdicts(rows):
    return [(row["verdict"], row["class"]) for row in rows]


def test_the_network_is_found_where_it_was_and_that_is_said(bench, detector_file, tmp_path):
    outcome = screened(detector_file, bench.test, tmp_path / "rows.csv", *FEW)
    assert outcome.code == 0, outcome.err
    assert f"{detector_file} was made for {bench.model}" in outcome.err


def test_the_network_is_found_beside_a_detector_that_was_moved(bench, detector_file, moved):
    shutil.copy(bench.model, moved.parent)
    rows = done(moved, bench.test, moved.with_name("rows.csv"), *FEW)
    expected = done(detector_file, bench.test, moved.with_name("expected.csv"), *FEW)
    assert verdicts(rows) == verdicts(expected)


def test_a_network_that_is_nowhere_is_asked_for(bench, moved):
    outcome = screened(moved, bench.test, moved.with_name("rows.csv"))
    assert_refused(outcome, 66, "ModelMissing", "/nowhere/at/all/badnet.keras", "--model FILE")
    assert [path for path, _, _ in listing(moved.parent)] == [str(moved)]


def test_a_network_that_is_named_wherever_it_is_will_do(bench, moved):
    shutil.copy(bench.model, moved.with_name("other name.keras"))
    named = ("--model", moved.with_name("other name.keras"), *FEW)
    outcome = screened(moved, bench.test, moved.with_name("rows.csv"), *named)
    assert outcome.code == 0, outcome.err
    assert "was made for" not in outcome.err


@pytest.mark.parametrize("named", [True, False])
def test_another_network_is_refused_by_its_digest(bench, pruned, moved, named):
    other = moved.with_name("badnet.keras")
    shutil.copy(pruned.model, other)
    options = ("--model", other) if named else ()
    outcome = screened(moved, bench.test, moved.with_name("rows.csv"), *options)
    words = (sha256(bench.model)[:12], sha256(other)[:12], "--model FILE")
    assert_complaint(outcome, 65, "OtherModel", *words)
    assert not moved.with_name("rows.csv").exists()


@pytest.fixture
def apart(bench, tmp_path):
    """Return a detector of a network whose layers, weights and file are three."""
    model = keras.saving.load_model(bench.model, compile=False)
    layers, weights = tmp_path / "layers.json", tmp_path / "net.weights.h5"
    layers.write_text(model.to_json())
    model.save_weights(weights)
    keras.models.clone_model(model).save(tmp_path / "whole.keras")
    network = ("--model", tmp_path / "whole.keras", "--weights", weights, "--arch", layers)
    fitting = ("--clean", bench.clean, "--test", bench.test, "--overlays", 5)
    typed("strip", *network, *fitting, "--input-range", "0-1", "-o", tmp_path / "d.npz")
    return tmp_path / "d.npz", network


def test_all_files_of_a_network_in_parts_are_found_and_named_in_the_record(bench, apart, tmp_path):
    detector, network = apart
    rows = done(detector, bench.test, tmp_path / "rows.csv", *FEW)
    named = done(detector, bench.test, tmp_path / "named.csv", *FEW, *network)
    assert rows == named
    record = json.loads((tmp_path / "rows.json").read_text())
    read = [entry["path"] for entry in record["inputs"]]
    assert read == [str(path) for path in (detector, *network[1::2], bench.test)]


@pytest.mark.parametrize("part", ["--weights", "--arch"])
def test_another_part_of_a_network_is_refused_by_its_option(bench, apart, tmp_path, part):
    detector, _ = apart
    options = (part, "deepid" if part == "--arch" else bench.model)
    outcome = screened(detector, bench.test, tmp_path / "rows.csv", *options)
    assert_complaint(outcome, 65, "OtherModel", part)


def test_a_built_in_network_is_known_by_its_name(bench, tmp_path):
    weights = tmp_path / "net.weights.h5"
    keras.saving.load_model(bench.model, compile=False).save_weights(weights)
    network = ("--model", weights, "--arch", "small-cnn")
    fitting = ("--clean", bench.clean, "--test", bench.test, "--overlays", 5)
    detector = tmp_path / "d.npz"
    typed("strip", *network, *fitting, "--input-range", "0-1", "-o", detector)
    assert len(done(detector, bench.test, tmp_path / "rows.csv", *FEW)) == 20


def test_colours_in_another_order_than_the_calibrations_are_said_aloud(bench, tmp_path):
    import numpy as np

    from badrepair.data import hdf5
    from badrepair.types import Dataset

    random = np.random.default_rng(0)
    image = keras.Input((6, 4, 3))
    answer = keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(image))
    keras.Model(image, answer).save(tmp_path / "colours.keras")
    pixels = random.integers(0, 256, (120, 6, 4, 3)).astype(np.float32)
    hdf5.write(Dataset(images=pixels, labels=pixels.mean((1, 2)).argmax(1)), tmp_path / "c.h5")
    colours = ("--color", "bgr", "--layout", "nchw", "--input-range", "0-255", "--frr", "0.1")
    network = ("--model", tmp_path / "colours.keras", "--clean", tmp_path / "c.h5")
    typed("strip", *network, *colours, "--overlays", 4, "-o", tmp_path / "d.npz")
    stored = ("--layout", "nchw", "--limit", 5)
    outcome = screened(tmp_path / "d.npz", tmp_path / "c.h5", tmp_path / "rgb.csv", *stored)
    assert "read as bgr, these are read as rgb: --color bgr reads them alike" in outcome.err
    bgr = (*stored, "--color", "bgr")
    outcome = screened(tmp_path / "d.npz", tmp_path / "c.h5", tmp_path / "bgr.csv", *bgr)
    assert "alike" not in outcome.err
    swapped = pixels[:5, ..., ::-1].mean((1, 2)).argmax(1)
    assert [int(row["class"]) for row in rows_in(tmp_path / "bgr.csv")] == swapped.tolist()
