"""`badrepair scan` tells what is in files, and its exit code says whether that could harm."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
from rewriting import rewritten

from cli.terminal import assert_refused, done, listing, plain_environment, run

LAMBDA = {"class_name": "Lambda", "config": {"name": "evil", "function": ["4wAAAAA="]}}


def as_code(config):
    config["config"]["layers"].insert(1, LAMBDA)


def from_elsewhere(config):
    """Name the last layer as no file of Keras does; Keras itself would find it all the same."""
    config["config"]["layers"][-1].update(module="keras.src.layers.core.dense")


def in_training(config):
    config["compile_config"] = {"loss": {"module": "os", "class_name": "system"}}


@pytest.fixture(scope="module")
def files(bench, tmp_path_factory):
    """Return one file of each kind by name."""
    folder = tmp_path_factory.mktemp("scanned")
    broken = folder / "broken.keras"
    broken.write_bytes(bench.model.read_bytes()[:-500])
    return {
        "good": bench.model,
        "code": rewritten(bench.model, folder / "code.keras", as_code),
        "elsewhere": rewritten(bench.model, folder / "elsewhere.keras", from_elsewhere),
        "warned": rewritten(bench.model, folder / "warned.keras", in_training),
        "broken": broken,
        "none": folder / "none.keras",
    }


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["good"], 0),
        (["warned"], 1),
        (["code"], 1),
        (["broken"], 65),
        (["none"], 66),
        (["good", "good"], 0),
        (["good", "code"], 1),
        (["code", "broken", "good"], 65),
        (["broken", "code"], 65),
    ],
)
@pytest.mark.parametrize("how", ["table", "json", "sarif"])
def test_the_exit_code_is_that_of_the_worst_file(files, names, code, how):
    before = listing(files["code"].parent)
    outcome = run("scan", *(files[name] for name in names), "--format", how)
    assert outcome.code == code
    assert "Traceback" not in outcome.err
    assert outcome.err.count("error[") == sum(name in {"broken", "none"} for name in names)
    assert listing(files["code"].parent) == before


def test_a_file_that_cannot_be_read_is_one_line_and_no_data(files):
    outcome = run("scan", files["broken"], "--format", "table")
    assert_refused(outcome, 65, "Truncated", str(files["broken"]))


def test_the_others_are_told_of_even_if_one_cannot_be_read(files):
    outcome = run("scan", files["broken"], files["good"], "--format", "json")
    assert [one["path"] for one in outcome.json["files"]] == [str(files["good"])]
    assert "error[Truncated]" in outcome.err


def test_the_table_says_what_is_in_a_file(files):
    outcome = done("scan", files["good"])
    digest = hashlib.sha256(files["good"].read_bytes()).hexdigest()
    for words in (".keras", digest, "16 x 16 x 1", "Conv2D", "Dense"):
        assert words in outcome.out
    assert "Findings" not in outcome.out
    assert "nothing was found" in outcome.err
    assert "whether the network has a backdoor, a scan cannot tell" in outcome.err


def test_the_table_says_what_is_wrong(files):
    outcome = run("scan", files["code"])
    assert "Findings" in outcome.out
    assert "CodeInModel" in outcome.out
    assert "1 reason not to load it, 0 warnings" in outcome.err


def test_a_warning_is_no_reason_not_to_load_it(files):
    outcome = run("scan", files["warned"])
    assert "CodeInTraining" in outcome.out
    assert "it can be loaded; 1 warning" in outcome.err


def test_json_holds_what_the_table_says_and_more(files):
    outcome = run("scan", files["code"], files["good"], "--format", "json")
    assert outcome.json["schema"] == 1
    bad, good = outcome.json["files"]
    assert bad["findings"] == [
        {
            "code": "CodeInModel",
            "where": "layer evil",
            "problem": "it is a Lambda, which is code",
            "hint": "badrepair never runs code from a model file; rebuild the network without it",
            "path": "config.layers[1]",
            "severity": "refused",
        }
    ]
    assert good["findings"] == []
    assert good["input_shape"] == [16, 16, 1]
    assert good["sha256"] == hashlib.sha256(files["good"].read_bytes()).hexdigest()
    assert sum(layer["parameters"] for layer in good["layers"]) == good["parameters"] > 0


def test_sarif_holds_the_findings_of_all_files(files):
    outcome = run("scan", files["code"], files["good"], files["warned"], "--format", "sarif")
    [made] = outcome.json["runs"]
    assert [(one["ruleId"], one["level"]) for one in made["results"]] == [
        ("CodeInModel", "error"),
        ("CodeInTraining", "warning"),
    ]
    uri = made["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == str(files["code"])


@pytest.mark.parametrize("how", ["table", "json", "sarif"])
def test_quiet_leaves_the_data_alone(files, how):
    outcome = run("scan", files["code"], "--format", how, "--quiet")
    assert outcome.err == ""
    assert outcome.out


def test_what_a_file_says_steers_no_terminal(files, tmp_path):
    def named(config):
        config["config"]["layers"][1]["config"]["name"] = "\x1b[31m[bold]evil[/bold]"

    path = rewritten(files["good"], tmp_path / "named.keras", named)
    for how in ("table", "json", "sarif"):
        outcome = run("scan", path, "--format", how)
        assert outcome.code == 1
        assert "\x1b" not in outcome.out + outcome.err
    assert "[bold]evil" in run("scan", path).out


def test_no_file_to_scan_is_a_fault_of_the_command():
    assert run("scan").code == 2


def test_a_scan_imports_neither_keras_nor_tensorflow(files):
    look = (
        "import sys; from badrepair.cli import main; sys.argv = ['badrepair', *sys.argv[1:]]\n"
        "try: main()\n"
        "finally: print(*{'keras', 'tensorflow', 'matplotlib'} & set(sys.modules), file=sys.stderr)"
    )
    for how in ("table", "json", "sarif"):
        ended = subprocess.run(
            [sys.executable, "-c", look, "scan", files["good"], "--format", how, "--quiet"],
            capture_output=True,
            text=True,
            check=False,
            env=plain_environment(),
        )
        assert (ended.returncode, ended.stderr) == (0, "\n")
        assert ended.stdout
