"""Data that is odd but right measures as ever; data that is too little is said to be."""

from __future__ import annotations

import numpy as np
import pytest

from cli.terminal import assert_complaint, done, run

AS_JSON = ("--format", "json", "--input-range", "0-1")


@pytest.mark.parametrize("command", ["prune", "strip"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_handful_of_clean_images_is_too_few(bench, tmp_path, arrays, write_h5, command, count):
    path = write_h5("few.h5", data=arrays["data"][:count], label=arrays["label"][:count])
    options = ("--clean", path, "--input-range", "0-1", "-o", tmp_path / "out.keras")
    outcome = run(command, "--model", bench.model, *options)
    assert_complaint(outcome, 65, "TooFewImages", f"found {count}")
    assert [file.name for file in tmp_path.iterdir()] == ["few.h5"]


def test_a_poisoned_set_of_target_images_alone_is_not_measured(bench, arrays, write_h5):
    path = write_h5(
        "target.h5",
        data=arrays["data"][arrays["label"] == 7],
        label=np.full(np.sum(arrays["label"] == 7), 7),
        true_label=np.full(np.sum(arrays["label"] == 7), 7),
    )
    measured = run("evaluate", "--model", bench.model, "--poisoned", path, *AS_JSON)
    if measured.code:
        assert_complaint(measured, 65, "Empty", str(path))
    else:
        rates = [row["attack_success_rate"] for row in measured.json["models"][0]["attacks"]]
        assert rates in ([], [None])


@pytest.mark.parametrize("command", ["prune", "strip"])
def test_a_defence_works_with_a_poisoned_set_of_target_images_alone(
    bench, tmp_path, arrays, write_h5, command
):
    shown = arrays["label"] == 7
    sevens = {"label": np.full(shown.sum(), 7), "true_label": np.full(shown.sum(), 7)}
    path = write_h5("target.h5", data=arrays["data"][shown], **sevens)
    quick = ("--epochs", 0) if command == "prune" else ("--overlays", 5)
    options = ("--poisoned", path, "--input-range", "0-1", "-o", tmp_path / "out.keras", *quick)
    outcome = run(command, "--model", bench.model, "--clean", bench.clean, *options)
    assert outcome.code in {0, 65}, outcome.err


@pytest.mark.parametrize(
    "change",
    [
        lambda images, labels: (images.transpose(0, 2, 3, 1), labels),
        lambda images, labels: (images[:, 0], labels),
        lambda images, labels: (images.astype(np.float64), labels),
        lambda images, labels: (images.astype(np.float32) / 255, labels),
        lambda images, labels: (images, labels[:, None]),
        lambda images, labels: (images, labels.astype(np.float64)),
        lambda images, labels: (images, np.eye(10)[labels]),
        lambda images, labels: (images, np.eye(10, dtype=bool)[labels]),
    ],
    ids=["nhwc", "nhw", "float64", "unit", "column", "floats", "one-hot", "booleans"],
)
def test_the_same_data_in_another_dress_measures_the_same(bench, arrays, write_h5, change):
    images, labels = change(arrays["data"], arrays["label"].astype(np.int64))
    path = write_h5("dressed.h5", data=images, label=labels)
    clean = [
        done("evaluate", "--model", bench.model, "--clean", file, *AS_JSON).json["models"][0]
        for file in (bench.clean, path)
    ]
    assert clean[0]["clean"] == clean[1]["clean"]


def test_an_npz_and_an_h5_of_the_same_data_measure_the_same(bench, arrays, tmp_path):
    path = tmp_path / "clean.npz"
    np.savez(path, x=arrays["data"], y=arrays["label"])
    entries = [
        done("evaluate", "--model", bench.model, "--clean", file, *AS_JSON).json["models"][0]
        for file in (bench.clean, path)
    ]
    assert entries[0]["clean"] == entries[1]["clean"]
