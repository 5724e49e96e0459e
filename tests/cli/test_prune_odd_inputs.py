"""`badrepair prune` with what nobody has in mind: next to no images, odd names, little memory."""

from __future__ import annotations

import os

import numpy as np
import pytest

from cli.repairs import attempted, names, record_of, repaired, weights, written
from cli.stored import arrays_in
from cli.terminal import assert_complaint, assert_refused, done, listing, run


@pytest.fixture
def prune_with(bench, tmp_path):
    """Return a function that prunes with other clean images."""

    def prune_with(rows, *options):
        clean = written(tmp_path / "clean.h5", arrays_in(bench.clean), rows)
        files = ("--model", bench.model, "--clean", clean, *bench.measured)
        common = ("--epochs", 1, "--input-range", "0-1", *options)
        return run("prune", *files, *common, "-o", tmp_path / "out.keras")

    return prune_with


def test_fewer_images_than_classes_are_enough(prune_with, tmp_path):
    outcome = prune_with(slice(0, 5))
    assert outcome.code == 0, outcome.err
    assert "classes have no clean image" in outcome.err
    assert record_of(tmp_path / "out.keras")["choices"]["images"] == {"tuning": 4, "held_out": 1}


def test_images_of_one_class_are_enough(bench, prune_with):
    outcome = prune_with(arrays_in(bench.clean)["label"] == 4)
    assert outcome.code == 0, outcome.err
    assert "9 of 10 classes have no clean image (0, 1, 2, 3, 5, …)" in outcome.err


@pytest.mark.parametrize("images", [1, 2])
def test_too_few_images_to_hold_one_out_are_refused(prune_with, tmp_path, images):
    outcome = prune_with(slice(0, images))
    assert_complaint(outcome, 65, "TooFewImages", f"found {images} and 0", "--held-out")
    assert names(tmp_path) == ["clean.h5"]


def test_two_images_are_enough_if_one_is_held_out(prune_with, tmp_path):
    outcome = prune_with(slice(0, 2), "--held-out", "0.5")
    assert outcome.code == 0, outcome.err
    assert record_of(tmp_path / "out.keras")["choices"]["images"] == {"tuning": 1, "held_out": 1}


def test_a_file_without_images_is_refused(prune_with, tmp_path):
    assert_refused(prune_with(slice(0, 0)), 65, "Empty", "clean.h5")
    assert names(tmp_path) == ["clean.h5"]


@pytest.mark.parametrize(("share", "tuning"), [("0.004", 249), ("0.996", 1)])
def test_one_image_on_either_side_of_the_split_is_enough_for_levels(bench, tmp_path, share, tuning):
    options = ("--held-out", share, "--levels", "0.02,0.1")
    outcome = attempted(bench, tmp_path / "out.keras", *options)
    assert outcome.code == 0, outcome.err
    for name in ("02", "10"):
        images = record_of(tmp_path / f"out-{name}.keras")["choices"]["images"]
        assert images == {"tuning": tuning, "held_out": 250 - tuning}


@pytest.mark.parametrize("share", ["0.001", "0.999"])
def test_no_image_on_one_side_of_the_split_is_refused_for_levels(bench, tmp_path, share):
    options = ("--held-out", share, "--levels", "0.02,0.1", "--slim", "--guard")
    outcome = attempted(bench, tmp_path / "out.keras", *options)
    assert_refused(outcome, 65, "TooFewImages", "--held-out")
    assert listing(tmp_path) == []


def test_little_memory_changes_nothing(bench, tmp_path):
    plenty, little = tmp_path / "plenty.keras", tmp_path / "little.keras"
    layers = ("--layer", "conv_1", "--layer", "conv_3", "--bisect", "--held-out", "0.8")
    repaired(bench, plenty, *layers)
    repaired(bench, little, *layers, "--memory", 1)
    assert record_of(plenty)["choices"] == record_of(little)["choices"]
    assert record_of(plenty)["curve"] == record_of(little)["curve"]
    assert all(np.array_equal(a, b) for a, b in zip(weights(plenty), weights(little), strict=True))


def test_no_memory_is_refused(bench, tmp_path):
    outcome = attempted(bench, tmp_path / "out.keras", "--memory", 0)
    assert_refused(outcome, 2, "Usage", "--memory", "1")


def test_a_learning_rate_that_wrecks_the_network_is_undone(bench, tmp_path):
    pruned, tuned = tmp_path / "pruned.keras", tmp_path / "tuned.keras"
    repaired(bench, pruned)
    options = ("--epochs", 2, "--learning-rate", "1e30", "--input-range", "0-1", "-o", tuned)
    outcome = done("prune", *bench.defended(), *options)
    assert "fine-tuning diverged: epoch 1 left weights that are no numbers" in outcome.out
    assert all(np.array_equal(a, b) for a, b in zip(weights(pruned), weights(tuned), strict=True))


def test_dots_in_the_name_of_the_output_stay(bench, tmp_path):
    outcome = attempted(bench, tmp_path / "out.v1.2.keras", "--levels", "0.025")
    assert outcome.code == 0, outcome.err
    assert names(tmp_path) == ["out.v1.2-02.5.json", "out.v1.2-02.5.keras"]


@pytest.mark.parametrize("augment", ["flip", "shift"])
def test_augmented_tuning_keeps_pruned_channels_at_zero(bench, tmp_path, augment):
    output = tmp_path / "out.keras"
    options = ("--epochs", 1, "--augment", augment, "--max-drop", "0.5", "--input-range", "0-1")
    done("prune", *bench.defended(), *options, "-o", output)
    choices = record_of(output)["choices"]
    assert choices["epoch"] == 1
    assert not weights(output)[4][..., choices["pruned"]["conv_3"]].any()


def test_patience_ends_the_tuning_one_epoch_below_the_best(bench, tmp_path):
    output = tmp_path / "out.keras"
    options = ("--epochs", 30, "--patience", 1, "--input-range", "0-1", "-o", output)
    done("prune", *bench.defended(), *options)
    curve = record_of(output)["choices"]["tuning_curve"]
    assert len(curve) < 30
    assert curve[-1] < curve[-2] == max(curve)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_takes_no_files_is_found_out_before_any_work(bench, tmp_path):
    model = tmp_path / "model.keras"
    model.write_text("no model")
    tmp_path.chmod(0o500)
    options = ("--levels", "0.02,0.1", "-o", tmp_path / "out.keras")
    outcome = run("prune", "--model", model, "--clean", bench.clean, *options)
    tmp_path.chmod(0o700)
    assert_refused(outcome, 73, "OutputNotWritable")
