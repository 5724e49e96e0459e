"""What `badrepair strip` writes decides alike: the detector, and the guards of two runtimes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cli.stored import arrays_in
from cli.terminal import Outcome, assert_refused, done, listing, run

IMAGES = 1000
# What people do who have the files, Keras or onnxruntime, and nothing of ours.
ALONE = """
import sys
import numpy
images = numpy.load("images.npy")
if sys.argv[1].endswith(".onnx"):
    import onnxruntime
    session = onnxruntime.InferenceSession(sys.argv[1])
    answers = session.run(None, {"input": images})[0]
else:
    import keras
    answers = keras.saving.load_model(sys.argv[1], compile=False).predict(images, verbose=0)
numpy.save(sys.argv[2], answers)
assert "badrepair" not in sys.modules
assert sys.argv[1].endswith(".keras") or "tensorflow" not in sys.modules
"""


@dataclass(frozen=True)
class Three:
    """What one run wrote in three formats, and a thousand images to try it on."""

    folder: Path
    outcome: Outcome
    images: np.ndarray

    @property
    def record(self):
        return json.loads((self.folder / "guard.json").read_text())


@pytest.fixture(scope="module")
def three(bench, tmp_path_factory):
    folder = tmp_path_factory.mktemp("three")
    outputs = [("-o", folder / f"guard.{ending}") for ending in ("keras", "onnx", "npz")]
    options = [word for pair in outputs for word in pair]
    outcome = done(
        *("strip", *bench.defended(), "--overlays", 20, "--frr", 0.05, "--mix", "auto"), *options
    )
    images = thousand_images(bench)
    np.save(folder / "images.npy", images)
    return Three(folder, outcome, images)


def thousand_images(bench):
    """Return clean and poisoned test images at many strengths: they differ in their entropy."""
    stored = [arrays_in(path)["data"] for path in (bench.test, bench.poisoned)]
    pixels = np.concatenate(stored).transpose(0, 2, 3, 1).astype(np.float32) / 255
    random = np.random.default_rng(0)
    rows = random.integers(0, len(pixels), IMAGES)
    strength = random.uniform(0.5, 1, (IMAGES, 1, 1, 1)).astype(np.float32)
    return strength * pixels[rows]


@pytest.fixture(scope="module")
def expected(three, bench):
    """Return what the detector's file decides: N where it flags, else the network's answer."""
    from badrepair.detectors.file import ModelIdentity, read_detector
    from badrepair.models.load import load_model

    stored = read_detector(three.folder / "guard.npz")
    detector = stored.fitted(load_model(bench.model), ModelIdentity.of_files(bench.model))
    seen = detector.examine(three.images)
    assert 0.03 < seen.flagged.mean() < 0.97
    return np.where(seen.flagged, 10, seen.answers)


@pytest.mark.parametrize("name", ["guard.keras", "guard.onnx"])
def test_the_guards_decide_as_the_detector_on_a_thousand_images(three, expected, name):
    command = [sys.executable, "-c", ALONE, name, "answers.npy"]
    subprocess.run(command, cwd=three.folder, check=True, capture_output=True, timeout=300)
    answers = np.load(three.folder / "answers.npy")
    assert answers.shape == (IMAGES, 11)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert np.array_equal(answers.argmax(axis=1), expected)


def test_one_record_stands_beside_all_three(three):
    written = {path.name for path in three.folder.iterdir()} - {"images.npy", "answers.npy"}
    assert written == {"guard.keras", "guard.onnx", "guard.npz", "guard.json"}
    assert [Path(one["path"]).name for one in three.record["outputs"]] == [
        "guard.keras",
        "guard.onnx",
        "guard.npz",
    ]


def test_the_detector_is_the_smallest_of_them(three):
    sizes = {path.suffix: path.stat().st_size for path in three.folder.glob("guard.*")}
    assert sizes[".npz"] < 20 * 16 * 16 + 20_000
    assert sizes[".npz"] < sizes[".onnx"] < sizes[".keras"]


def test_the_output_says_how_long_each_takes(three):
    assert list(three.record["speed"]) == ["unguarded", "detector", "guard.keras", "guard.onnx"]
    assert all(one["alone"] > 0 and one["among_many"] > 0 for one in three.record["speed"].values())
    table = three.outcome.out.partition("Speed")[2]
    assert "guard.onnx" in table


def test_the_output_says_how_the_mix_was_chosen(three):
    assert "95.00 % of the overlays keep at least" in three.outcome.out
    weights = [three.record["choices"][key] for key in ("image_weight", "overlay_weight")]
    assert weights in ([1, 1], [0.5, 0.5])
    assert f"mixes are made by {'add' if weights == [1, 1] else 'blend'}" in three.outcome.out


def test_exact_looks_at_all_overlays(bench, tmp_path):
    options = ("--overlays", 20, "--exact", "--mix", "blend", "-o", tmp_path / "out.npz")
    outcome = done("strip", *bench.defended(), *options, "--format", "json")
    choices = outcome.json["choices"]
    assert choices["looks"] == [20]
    assert choices["images"] == {"overlays": 20, "learning": 0, "calibration": 230}
    assert outcome.json["detection"]["overlays_used"] == {"clean": 20, "patch": 20}
    assert (choices["image_weight"], choices["overlay_weight"]) == (0.5, 0.5)


def test_weights_take_the_place_of_the_mix(bench, tmp_path):
    options = ("--overlays", 5, "--overlay-weight", 0.25, "-o", tmp_path / "out.npz")
    choices = done("strip", *bench.defended(), *options, "--format", "json").json["choices"]
    assert (choices["image_weight"], choices["overlay_weight"]) == (1.0, 0.25)


def test_verbose_says_what_runs_once_an_image(bench, tmp_path):
    options = ("--overlays", 5, "-o", tmp_path / "out.npz")
    outcome = done("strip", *bench.defended(), *options, "--verbose")
    assert "conv_1 run once an image" in outcome.err
    silent = done("strip", *bench.defended(), *options, "--overwrite")
    assert "once an image" not in silent.err


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (("-o", "out.h5"), "OutputFormat", ".onnx"),
        (("-o", "out.csv"), "OutputFormat", ".npz"),
        (("-o", "out.npz", "-o", "out.npz"), "OutputTwice", "out.npz"),
        (("-o", "out.npz", "--mix", "auto", "--image-weight", 2), "OptionInvalid", "--mix"),
        (("-o", "out.npz", "--calibration", "pac", "--confidence", 1), "OptionInvalid", "(0, 1)"),
        (("-o", "out.npz", "--detector", "d.npz"), "OptionMissing", "--screen"),
        (("-o", "out.npz", "--resume"), "OptionMisplaced", "--resume"),
        (("-o", "out.npz", "--quarantine", "caught"), "OptionMisplaced", "--quarantine"),
        (("-o", "out.npz", "--fail-on-finding"), "OptionMisplaced", "--fail-on-finding"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(
    bench, tmp_path, monkeypatch, options, code, word
):
    monkeypatch.chdir(tmp_path)
    outcome = run("strip", *bench.defended(), *options)
    assert_refused(outcome, 2, code, word)
    assert listing(tmp_path) == []


def test_a_model_is_asked_for(bench, tmp_path):
    outcome = run("strip", "--clean", bench.clean, "-o", tmp_path / "out.npz")
    assert_refused(outcome, 2, "OptionMissing", "--model")


def test_clean_images_are_asked_for_before_anything_is_loaded(bench, tmp_path):
    outcome = run("strip", "--model", bench.model, "-o", tmp_path / "out.npz")
    assert_refused(outcome, 2, "CleanMissing", "--clean")


def test_copies_are_left_out_and_said_to_be(bench, tmp_path):
    from badrepair import load_data, load_model
    from badrepair.data import hdf5

    clean = load_data(bench.clean, load_model(bench.model), input_range="as-is")
    hdf5.write(clean.take(np.resize(np.arange(250), 400)), tmp_path / "doubled.h5")
    hdf5.write(clean.take(np.arange(200, 250)), tmp_path / "some.h5")
    options = ("--overlays", 5, "--frr", 0.05, "--input-range", "0-1", "-o")
    outcome = done(
        *("strip", "--model", bench.model, "--clean", tmp_path / "doubled.h5"),
        *options,
        tmp_path / "out.npz",
    )
    assert "doubled.h5: left out 150 images: copies of others\n" in outcome.err
    assert "measured on 62 clean images" in outcome.out
    refused = run(
        *("strip", "--model", bench.model, "--clean", bench.clean, "--test", tmp_path / "some.h5"),
        *options,
        tmp_path / "more.npz",
    )
    assert_refused(refused, 65, "CopiesOnly", "some.h5")


def test_more_confidence_needs_more_images(bench, tmp_path):
    options = ("--calibration", "pac", "--frr", 0.05, "--overlays", 5, "--input-range", "0-1")
    output = ("-o", tmp_path / "out.npz", "--overwrite")
    done("strip", *bench.defended(), *options, *output, "--confidence", 0.9)
    outcome = run("strip", *bench.defended(), *options, *output, "--confidence", 0.999999)
    # ln(1e-6) / ln(0.95) is 269.3.
    assert_refused(outcome, 65, "TooFewImages", "270", "99.9999")


def test_a_test_file_that_made_the_detector_is_named_as_such(bench, tmp_path):
    options = ("--clean", bench.clean, "--test", bench.clean, "--overlays", 5)
    outcome = done("strip", "--model", bench.model, *options, "-o", tmp_path / "out.npz")
    assert "which holds the images of --clean: they made the detector" in outcome.out
    assert "calibrated nothing" not in outcome.out
