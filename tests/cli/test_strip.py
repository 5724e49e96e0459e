"""`badrepair strip`: a guarded file, its record, and rates that say on what they stand."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from cli.stored import arrays_in
from cli.terminal import assert_complaint, assert_refused, done, listing, run

QUICK = ("--overlays", 5, "--input-range", "0-1")
# What somebody does who has Keras and the file, and nothing else.
PLAIN_KERAS = """
import json, sys
import h5py, keras
import numpy as np

guard = keras.saving.load_model(sys.argv[1], compile=False)
images = h5py.File(sys.argv[2])["data"][()].transpose(0, 2, 3, 1).astype("float32") / 255
answers = guard.predict(images, verbose=0).argmax(axis=1)
print(json.dumps(["badrepair" in sys.modules, guard.output_shape[1], answers.tolist()]))
"""


def test_the_tables_show_the_detector_and_the_model_before_and_after(stripped):
    lines = stripped.outcome.lines
    assert "Detection" in lines
    assert "Evaluation" in lines
    assert any(line.startswith("before") for line in lines)
    assert any(line.startswith("guarded") for line in lines)
    assert any(line.startswith("detector") for line in lines)
    tables = stripped.outcome.out.partition("conformal calibration")[0]
    assert "not measured" not in tables


def test_the_result_says_how_the_threshold_came_about(stripped):
    why = stripped.record["choices"]["why"]
    assert why in stripped.outcome.out
    assert "conformal calibration for 1.00%" in why
    assert "measured on 200 clean images that calibrated nothing (--test)" in stripped.outcome.out


def test_the_record_says_what_was_run_and_chosen(stripped, bench):
    record = stripped.record
    assert (record["schema"], record["command"], record["seed"]) == (1, "strip", 0)
    assert record["options"]["frr"] == 0.01
    assert record["options"]["model"] == str(bench.model)
    choices = record["choices"]
    assert choices["images"] == {"overlays": 20, "learning": 115, "calibration": 115}
    assert choices["looks"] == [4, 6, 8, 12, 20]
    assert (choices["calibration"], choices["image_weight"]) == ("conformal", 1.0)
    assert [entry["path"] for entry in record["outputs"]] == [str(stripped.model)]
    assert record["seconds"] > 0
    assert record["peak_memory_mb"] > 50


def test_the_detection_in_the_record_is_that_of_the_scores(stripped):
    figure, choices = stripped.record["figures"]["entropies"], stripped.record["choices"]
    clean, poisoned = np.array(figure["clean"]), np.array(figure["poisoned"]["patch"])
    threshold = choices["threshold_bits"]
    assert figure["threshold"] == threshold
    detection = stripped.record["detection"]
    assert list(detection["false_rejection_rates"]) == ["STRIP", "max-softmax"]
    rejected = detection["false_rejection_rates"]["STRIP"]
    assert rejected["value"] == pytest.approx(np.mean(clean < threshold))
    row, floor = detection["poisoned"]
    assert (row["name"], row["detector"]) == ("patch", "STRIP")
    assert (floor["name"], floor["detector"]) == ("patch", "max-softmax")
    assert row["false_acceptance_rate"]["value"] == pytest.approx(np.mean(poisoned >= threshold))
    wins = poisoned[:, None] < clean[None]
    ties = poisoned[:, None] == clean[None]
    area = row["auroc"]
    assert area["value"] == pytest.approx(np.mean(wins + ties / 2))
    assert 0.7 < area["low"] < area["value"] < area["high"] < 1


def test_the_threshold_is_the_split_conformal_quantile(stripped):
    figure = stripped.record["figures"]["entropies"]
    # k = ceil(116 * 0.99) = 115 of 115 scores count from the top: the smallest.
    assert len(figure["calibration"]) == 115
    assert min(figure["calibration"]) == figure["threshold"]
    assert figure["false_rejection_target"] == 0.01


def test_the_record_holds_the_figures(stripped):
    figures = stripped.record["figures"]
    titles = [panel["title"] for panel in figures["superimposition"]]
    assert titles == ["image", "overlay", "mix", "poisoned image", "poisoned mix"]
    assert len(figures["samples"]) == 12
    used = figures["overlays_used"]
    assert used["of"] == 20
    assert set(used["clean"] + used["poisoned"]["patch"]) <= {4, 6, 8, 12, 20}
    assert [len(used["clean"]), len(used["poisoned"]["patch"])] == [
        200,
        len(figures["entropies"]["poisoned"]["patch"]),
    ]
    assert [len(figures["extremes"][end]) for end in ("most", "least")] == [10, 10]
    most = [image["entropy"] for image in figures["extremes"]["most"]]
    assert (
        most
        == sorted(figures["entropies"]["clean"] + figures["entropies"]["poisoned"]["patch"])[:10]
    )
    assert len(figures["floor"]["clean"]) == 200


def test_plain_keras_loads_the_guard_and_answers_as_the_table_says(stripped, bench):
    command = [sys.executable, "-c", PLAIN_KERAS, str(stripped.model), str(bench.test)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    ours_loaded, outputs, answers = json.loads(ended.stdout)
    assert (ours_loaded, outputs) == (False, 11)
    clean = stripped.report("guarded")["clean"]
    accuracy = np.mean(np.array(answers) == arrays_in(bench.test)["label"])
    assert clean["false_rejection_rate"] == np.mean(np.array(answers) == 10)
    assert clean["accuracy"] == accuracy


def test_the_guarded_file_measures_as_the_record_says(stripped, bench):
    options = ("--model", stripped.model, *bench.evaluated(), "--format", "json")
    measured = done("evaluate", *options).json["models"][0]
    recorded = stripped.report("guarded")
    assert measured["classes"] == 10
    assert measured["clean"] == recorded["clean"]
    assert measured["attacks"][0]["detection_rate"] == recorded["attacks"][0]["detection_rate"]


def test_what_is_not_flagged_is_answered_as_before(stripped, bench):
    before, after = stripped.report("before"), stripped.report("guarded")
    rejected = after["clean"]["false_rejection_rate"]
    assert before["clean"]["accuracy"] - rejected <= after["clean"]["accuracy"] + 1e-9
    patched = after["attacks"][0]
    assert patched["attack_success_rate"] + patched["detection_rate"] == pytest.approx(1)


def test_without_a_poisoned_file_nothing_about_poison_is_measured(bench, tmp_path):
    output = tmp_path / "out.keras"
    outcome = done("strip", *bench.defended("--test", bench.test), *QUICK, "-o", output)
    assert "no poisoned set" in outcome.out
    record = json.loads(output.with_suffix(".json").read_text())
    assert record["detection"]["poisoned"] == []
    assert [model["attacks"] for model in record["models"]] == [[], []]
    assert "how many poisoned inputs it catches was not measured" in outcome.out
    assert "all 5 overlays are looked at: there are too few" in outcome.out
    row = next(line for line in outcome.lines if "FAR " in line)
    assert row.count("not measured") == 2


def test_without_a_test_file_a_part_of_the_clean_one_measures(bench, tmp_path):
    outcome = done(
        *("strip", *bench.defended("--clean", bench.clean), *QUICK, "--frr", "0.05"),
        *("-o", tmp_path / "out.keras"),
    )
    # A quarter of 250, rounded down: 188 fit, of which 5 are overlays, too few to stop early.
    assert "measured on 62 clean images that calibrated nothing (a part of --clean)" in outcome.out
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["choices"]["images"] == {"overlays": 5, "learning": 0, "calibration": 183}


def test_the_same_seed_gives_the_same_detector(bench, tmp_path):
    from badrepair import load_model

    paths = [tmp_path / name for name in ("first.keras", "second.keras")]
    runs = [done("strip", *bench.defended(), *QUICK, "-o", path) for path in paths]
    # How long it took is no part of the result.
    assert without_speed(runs[0].out) == without_speed(runs[1].out)
    pairs = zip(*(load_model(path).get_weights() for path in paths), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def without_speed(printed):
    before, _, after = printed.partition("Speed")
    return before + after.partition("interleaved runs.")[2]


def test_the_poisoned_file_changes_nothing_in_the_detector(bench, tmp_path, write_h5):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (20, 1, 16, 16), dtype=np.uint8)
    noise = write_h5("noise.h5", data=pixels, label=np.full(20, 3))
    records = [
        done(
            *("strip", *bench.defended("--test", bench.test, "--poisoned", path), *QUICK),
            *("--format", "json", "-o", tmp_path / name),
        ).json
        for path, name in ((bench.poisoned, "one.keras"), (noise, "two.keras"))
    ]
    assert records[0]["choices"] == records[1]["choices"]


@pytest.mark.parametrize("calibration", ["normal", "empirical"])
def test_other_calibrations_are_named_in_the_result(bench, tmp_path, calibration):
    options = (*QUICK, "--calibration", calibration, "-o", tmp_path / "out.keras")
    outcome = done("strip", *bench.defended("--test", bench.test), *options)
    assert f"{calibration} calibration for 1.00%" in outcome.out


def test_too_few_images_for_the_rate_says_how_many_are_needed(bench, tmp_path):
    options = ("--frr", "0.001", "--input-range", "0-1", "-o", tmp_path / "out.keras")
    outcome = run("strip", *bench.defended(), *options, "--overlays", 20)
    assert_refused(outcome, 65, "TooFewImages", "1,019", "999", "250", "--frr")
    assert listing(tmp_path) == []


def test_too_few_images_for_the_overlays_says_so(bench, tmp_path):
    options = ("--overlays", 250, "--input-range", "0-1", "-o", tmp_path / "out.keras")
    outcome = run("strip", *bench.defended(), *options)
    assert_refused(outcome, 65, "TooFewImages", "250", "--overlays")
    assert listing(tmp_path) == []


@pytest.mark.parametrize(("option", "value"), [("--frr", "0"), ("--frr", "1"), ("--frr", "nan")])
def test_a_rate_that_makes_no_sense_is_refused(bench, tmp_path, option, value):
    outcome = run("strip", *bench.defended(), "-o", tmp_path / "out.keras", option, value)
    assert_refused(outcome, 2, "OptionInvalid", option, "in (0, 1)", value)


@pytest.mark.parametrize("option", ["--image-weight", "--overlay-weight"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_weight_that_is_no_number_is_refused(bench, tmp_path, option, value):
    outcome = run("strip", *bench.defended(), *QUICK, "-o", tmp_path / "out.keras", option, value)
    assert_refused(outcome, 2, "OptionInvalid", option, value)
    assert listing(tmp_path) == []


def test_a_guard_is_not_guarded_again(bench, stripped, tmp_path):
    options = ("--clean", bench.clean, *QUICK, "-o", tmp_path / "out.keras")
    outcome = run("strip", "--model", stripped.model, *options)
    assert_complaint(outcome, 65, "AlreadyGuarded")
    assert listing(tmp_path) == []
