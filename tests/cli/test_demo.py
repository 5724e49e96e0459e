"""`badrepair demo`: a good and bad network, repaired and guarded, with every step to repeat."""

from __future__ import annotations

import json
import shlex
import shutil
import sys

import pytest

from cli.terminal import assert_refused, done, listing, run

pytestmark = pytest.mark.slow

FILES = {
    *("clean.h5", "test.h5", "test_poisoned.h5", "commands.sh", "badnet.keras"),
    *("repaired.keras", "repaired.json", "guarded.keras", "guarded.json"),
}
FIGURES = {
    *("repaired-activations", "repaired-curve", "repaired-samples"),
    *("guarded-entropies", "guarded-error-rates", "guarded-extremes", "guarded-overlays-used"),
    *("guarded-roc", "guarded-samples", "guarded-superimposition"),
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Return what one whole demo printed, and its folder."""
    folder = tmp_path_factory.mktemp("demo") / "all of it"
    return done("demo", "--out", folder), folder


@pytest.fixture(scope="module")
def commands(demo):
    """Return the commands of commands.sh as lists of words."""
    lines = (demo[1] / "commands.sh").read_text().splitlines()
    return [shlex.split(line) for line in lines if line and not line.startswith("#")]


def record(folder, name):
    return json.loads((folder / name).read_text())


def reports(folder, name):
    return {model["name"]: model for model in record(folder, name)["models"]}


def test_everything_it_made_is_left_in_the_folder(demo):
    _, folder = demo
    assert {path.name for path in folder.iterdir()} == FILES | {"figures"}
    drawn = {f"{stem}.{suffix}" for stem in FIGURES for suffix in ("png", "svg")}
    assert {path.name for path in (folder / "figures").iterdir()} == drawn


def test_the_network_is_good_on_clean_digits_and_bad_on_the_patch(demo):
    before = reports(demo[1], "repaired.json")["before"]
    assert before["clean"]["accuracy"] >= 0.97
    assert before["clean"]["n"] == 397
    assert before["attacks"][0]["attack_success_rate"] >= 0.99


@pytest.mark.parametrize(
    ("name", "after"), [("repaired.json", "fine-tuned"), ("guarded.json", "guarded")]
)
def test_the_defended_network_keeps_its_clean_accuracy_within_three_points(demo, name, after):
    measured = reports(demo[1], name)
    lost = measured["before"]["clean"]["accuracy"] - measured[after]["clean"]["accuracy"]
    assert lost <= 0.03
    assert 0 <= measured[after]["attacks"][0]["attack_success_rate"] <= 1


def test_the_printed_commands_are_those_of_the_script_and_can_be_copied(demo, commands):
    printed = [line[2:] for line in demo[0].out.splitlines() if line.startswith("$ ")]
    assert [shlex.split(line) for line in printed] == commands
    assert [words[:2] for words in commands] == [
        ["badrepair", verb] for verb in ("evaluate", "prune", "strip", "evaluate", "plot")
    ]


def test_a_command_of_the_script_prints_the_same_again(demo, commands):
    before, *_, compare, plot = commands
    for words in (before, compare, plot):
        assert done(*words[1:]).out.rstrip() in demo[0].out


def test_the_records_were_made_by_the_commands_of_the_script(demo, commands):
    _, prune, strip, *_ = commands
    assert record(demo[1], "repaired.json")["arguments"] == prune[1:]
    assert record(demo[1], "guarded.json")["arguments"] == strip[1:]


def test_a_second_demo_needs_overwrite_and_leaves_the_first_as_it_was(demo):
    before = listing(demo[1])
    assert_refused(run("demo", "--out", demo[1]), 73, "OutputExists", "--out", "--overwrite")
    assert listing(demo[1]) == before


def test_a_file_in_the_way_of_the_folder_is_refused(tmp_path):
    path = tmp_path / "demo"
    path.write_text("mine")
    outcome = run("demo", "--out", path)
    assert_refused(outcome, 73, "OutputNotCreatable", str(path))
    assert "[Errno" not in outcome.err
    assert path.read_text() == "mine"


@pytest.fixture(scope="module")
def training_done(bench):
    """Let the demo take the small network of the other tests instead of training one."""
    import badrepair.cli

    def copy(options):
        for source, name in zip(
            (bench.model, bench.clean, bench.test, bench.poisoned),
            ("badnet.keras", "clean.h5", "test.h5", "test_poisoned.h5"),
            strict=True,
        ):
            shutil.copy(source, options.out / name)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys.modules[f"{badrepair.cli.__name__}.demo"], "_make_badnet", copy)
        yield


@pytest.fixture(scope="module")
def quiet_demo(training_done, tmp_path_factory):
    """Return what a quiet demo left in a folder that was in use."""
    folder = tmp_path_factory.mktemp("used")
    (folder / "mine.txt").write_text("mine")
    return done("demo", "--out", folder, "--overwrite", "--quiet"), folder


def test_quiet_says_nothing_beside_the_results(quiet_demo):
    outcome, _ = quiet_demo
    assert "Everything is in" in outcome.out
    assert outcome.err == ""


def test_overwrite_keeps_the_files_of_others_in_the_folder(quiet_demo):
    _, folder = quiet_demo
    assert (folder / "mine.txt").read_text() == "mine"
    assert {path.name for path in folder.iterdir()} == FILES | {"figures", "mine.txt"}


def test_a_step_that_fails_ends_the_demo_with_its_code(training_done, tmp_path, monkeypatch):
    monkeypatch.setattr("badrepair.cli.outputs.model_bytes", out_of_room)
    outcome = run("demo", "--out", tmp_path / "demo", "--quiet")
    assert outcome.code == 74
    assert outcome.err.splitlines()[-1].startswith("error[WriteFailed] ")
    assert outcome.err.count("error[") == 1


def out_of_room(*_):
    raise OSError(28, "No space left on device")
