"""`badrepair repair METHOD`: from model file to mended model file, with what was chosen and why."""

from __future__ import annotations

import json

import numpy as np
import pytest

from badrepair import registry
from badrepair.cli.repair import COLUMNS, Repairs
from cli.repairs import names, record_of, weights
from cli.terminal import assert_complaint, assert_refused, done, run, spawn

QUICK = ("--steps", 200, "--warm-up", 100, "--learning-rate", "1e-3", "--input-range", "0-1")


@pytest.fixture(scope="module")
def mended(bench, tmp_path_factory):
    """Return what the command printed, and the file that it wrote."""
    output = tmp_path_factory.mktemp("mended") / "out.keras"
    return done("repair", "unlearn", *bench.defended(), *QUICK, "--guard", "-o", output), output


def test_the_backdoor_is_weaker_and_the_table_says_so(mended):
    outcome, output = mended
    words = [line.split()[0] for line in outcome.lines if "%" in line]
    assert {"before", "repaired", "guarded"} <= set(words)
    before, after = (record["attacks"][0] for record in record_of(output)["models"][:2])
    assert before["attack_success_rate"] == 1
    assert after["attack_success_rate"] < 0.5


def test_the_network_the_guard_and_their_records_are_written(mended):
    _, output = mended
    assert names(output.parent) == ["out-guard.json", "out-guard.keras", "out.json", "out.keras"]


def test_the_record_keeps_the_method_and_all_candidates(mended):
    record = record_of(mended[1])
    assert record["command"] == "repair"
    assert record["method"] == "unlearn"
    candidates = record["choices"]["candidates"]
    assert len(candidates) == len(record["candidates"]) >= 6
    assert {"weight", "steps", "accuracy", "error", "probe_success", "score"} == set(candidates[0])


def test_the_choice_is_told_in_a_sentence(mended):
    words = " ".join(mended[0].out.split())
    assert "the best of" in words
    assert "stand-ins for the trigger work on" in words


def test_poisoned_images_decide_nothing(bench, mended, tmp_path):
    again = tmp_path / "again.keras"
    done("repair", "unlearn", "--model", bench.model, "--clean", bench.clean, *QUICK, "-o", again)
    assert all(map(np.array_equal, weights(again), weights(mended[1])))


@pytest.mark.parametrize("method", ["fine-tuning", "fine-pruning", "clp"])
def test_other_methods_are_called_alike(bench, method, tmp_path):
    output = tmp_path / "out.keras"
    outcome = run(
        *("repair", method, "--model", bench.model, "--clean", bench.clean, "--max-drop", 1),
        *("--input-range", "0-1", "-o", output, "--format", "json"),
    )
    assert outcome.code == 0, outcome.err
    assert outcome.json["method"] == method
    assert output.exists()


def test_two_in_a_row_share_one_record(bench, tmp_path):
    output = tmp_path / "out.keras"
    done(
        *("repair", "clp+fine-tuning", "--model", bench.model, "--clean", bench.clean),
        *("--max-drop", 1, "--input-range", "0-1", "-o", output),
    )
    assert list(record_of(output)["choices"]["parts"]) == ["clp", "fine-tuning"]


def test_nothing_is_written_where_no_candidate_keeps_within_the_budget(bench, tmp_path):
    output = tmp_path / "out.keras"
    outcome = run(
        *("repair", "fst", "--model", bench.model, "--clean", bench.clean, "--max-drop", 0),
        *("--steps", 1, "--learning-rate", "1e-9", "--input-range", "0-1", "-o", output),
    )
    assert_complaint(outcome, 65, "RepairFailed", "none of", "larger --max-drop")
    assert not names(tmp_path)


def test_a_gate_that_is_missed_ends_with_one(bench, tmp_path):
    output = tmp_path / "out.keras"
    outcome = run(
        *("repair", "fine-tuning", *bench.defended(), "--epochs", 1, "--input-range", "0-1"),
        *("--max-asr", 0.01, "-o", output),
    )
    assert outcome.code == 1
    assert "gate missed: repaired" in outcome.err
    assert output.exists()


def test_a_method_of_ones_own_can_be_named_by_its_file(bench, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from badrepair.models.surgery import copy_model\n"
        "from badrepair.types import RepairResult\n\n\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Mine:\n"
        "    seed: int = 0\n\n"
        "    def repair(self, model, clean):\n"
        "        return RepairResult(model=copy_model(model))\n"
    )
    output = tmp_path / "out.keras"
    done(
        *("repair", tmp_path / "mine.py", "--model", bench.model, "--clean", bench.clean),
        *("--input-range", "0-1", "-o", output),
    )
    assert all(map(np.array_equal, weights(output), weights(bench.model)))


def test_a_detector_repairs_nothing(bench, tmp_path):
    outcome = run(
        *("repair", "strip", "--model", bench.model, "--clean", bench.clean),
        *("-o", tmp_path / "out.keras"),
    )
    assert outcome.code == 2
    assert "expected a repair, found strip" in outcome.err


def test_an_unknown_method_is_refused_with_those_that_there_are():
    assert_refused(run("repair", "nonsense"), 2, "Unknown", "unlearn")


def test_help_has_a_table_of_what_each_method_needs_and_can_do():
    shown = spawn("repair", "--help", env={"COLUMNS": "200", "PATH": "/usr/bin:/bin"})
    assert shown.code == 0
    lines = shown.out.splitlines()
    for name in Repairs.names():
        assert sum(line.startswith(f"{name} ") for line in lines) == 1, name
    assert all(column in shown.out for column in COLUMNS)


def test_every_repair_says_what_it_is_about_and_no_detector_does():
    repairs = [
        n for n in registry.names("defenses") if hasattr(registry.load("defenses", n), "repair")
    ]
    assert Repairs.names() == repairs


def test_a_record_of_a_repair_can_be_drawn(mended, tmp_path):
    outcome = done(
        "plot", mended[1].with_suffix(".json"), "--kind", "samples", "-o", tmp_path / "s.png"
    )
    assert (tmp_path / "s.png").exists(), outcome.err


def test_json_on_stdout_is_the_record(bench, tmp_path):
    output = tmp_path / "out.keras"
    outcome = done(
        *("repair", "clp", "--model", bench.model, "--clean", bench.clean, "--max-drop", 1),
        *("--input-range", "0-1", "-o", output, "--format", "json"),
    )
    assert outcome.json == json.loads(output.with_suffix(".json").read_text())
