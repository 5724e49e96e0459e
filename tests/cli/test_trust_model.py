"""`--trust-model` lets the layers of one file through, says so, and lifts no limit."""

from __future__ import annotations

import hashlib
import json

import h5py
import numpy as np
import pytest
from rewriting import rewritten

from cli.terminal import assert_complaint, done, run
from cli.test_scan import from_elsewhere

NOBODY = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def odd(bench, tmp_path_factory):
    """Return the BadNet with a layer that no file of Keras names so."""
    path = tmp_path_factory.mktemp("trusted") / "odd.keras"
    return rewritten(bench.model, path, from_elsewhere)


def digest(path):
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def arguments(model, bench, *more):
    return ("evaluate", "--model", model, *bench.evaluated(), "--format", "json", *more)


def test_what_is_not_known_is_refused_with_the_way_to_trust_it(odd, bench):
    outcome = run(*arguments(odd, bench))
    assert_complaint(outcome, 65, "LayerNotAllowed", f"--trust-model {digest(odd)}")


def test_a_trusted_file_is_used_and_what_it_lets_through_is_printed(odd, bench):
    outcome = done(*arguments(odd, bench, "--trust-model", digest(odd)))
    assert f"{odd} is trusted, and let through: layer " in outcome.err
    assert "should not come from keras.src.layers.core.dense" in outcome.err
    [plain] = done(*arguments(bench.model, bench)).json["models"]
    [trusted] = outcome.json["models"]
    measured = ("clean", "attacks")
    assert [trusted[key] for key in measured] == [plain[key] for key in measured]


def test_trust_in_another_file_is_none_in_this_and_is_said(odd, bench):
    outcome = run(*arguments(odd, bench, "--trust-model", NOBODY))
    warned, refused = outcome.err.splitlines()
    assert warned == f"--trust-model {NOBODY} is the digest of none of the model's files"
    assert outcome.code == 65
    assert refused.startswith("error[LayerNotAllowed]")


@pytest.mark.parametrize("other", ["", "sha256:", "*", "sha256:" + "g" * 64, "0" * 64])
@pytest.mark.parametrize("command", ["evaluate", "predict", "strip"])
def test_what_is_no_digest_is_a_fault_of_the_command_line(odd, bench, tmp_path, command, other):
    more = {
        "evaluate": bench.evaluated(),
        "predict": (tmp_path / "none.png",),
        "strip": ("--clean", bench.clean, "-o", tmp_path / "out.npz"),
    }
    outcome = run(command, "--model", odd, *more[command], "--trust-model", other)
    assert_complaint(outcome, 2, "BadDigest", "expected sha256: and 64 hexadecimal digits")


def test_a_digest_in_capitals_is_the_same(odd, bench):
    outcome = done(*arguments(odd, bench, "--trust-model", digest(odd).upper()))
    assert "is trusted" in outcome.err
    assert "none of the model's files" not in outcome.err
    assert_trust_told(outcome.json, odd)


def test_trust_in_several_files_is_given_by_repetition(odd, bench):
    trust = ("--trust-model", digest(bench.model), "--trust-model", digest(odd))
    outcome = done(*arguments(odd, bench, "--model", bench.model, *trust))
    assert "is trusted" in outcome.err
    assert "none of the model's files" not in outcome.err


def test_a_file_without_anything_odd_needs_no_trust_and_says_nothing(bench):
    outcome = done(*arguments(bench.model, bench, "--trust-model", digest(bench.model)))
    assert "is trusted" not in outcome.err


def assert_trust_told(record, odd):
    [trusted] = record["trusted"]
    assert f"sha256:{trusted['sha256']}" == digest(odd)
    assert trusted["path"] == str(odd)
    assert {found["code"] for found in trusted["let_through"]} == {"LayerNotAllowed"}
    assert "keras.src.layers.core.dense" in trusted["let_through"][0]["problem"]


def test_the_record_holds_what_the_user_trusted_and_what_it_let_through(odd, bench, tmp_path):
    fitting = ("--clean", bench.clean, "--test", bench.test, "--overlays", 5)
    trust = ("--trust-model", digest(odd))
    out = tmp_path / "guard.npz"
    done("strip", "--model", odd, *fitting, *trust, "-o", out)
    record = json.loads((tmp_path / "guard.json").read_text())
    assert record["options"]["trust_model"] == [digest(odd)]
    assert_trust_told(record, odd)
    screening = ("--detector", out, "--screen", bench.test, "-o", tmp_path / "rows.csv")
    done("strip", *screening, *trust)
    assert_trust_told(json.loads((tmp_path / "rows.json").read_text()), odd)


def test_a_measurement_holds_what_trust_let_through(odd, bench):
    trust = ("--trust-model", digest(odd))
    assert_trust_told(done(*arguments(odd, bench, *trust)).json, odd)
    assert done(*arguments(bench.model, bench)).json["trusted"] == []


@pytest.mark.parametrize("trusted", [True, False])
def test_trust_never_lifts_a_limit(bench, tmp_path, trusted):
    def large(config):
        from_elsewhere(config)
        config["config"]["layers"] *= 1000

    path = rewritten(bench.model, tmp_path / "large.keras", large)
    trust = ("--trust-model", digest(path)) if trusted else ()
    assert_complaint(run(*arguments(path, bench, *trust)), 65, "LimitExceeded")


def test_trust_never_lifts_the_walls_around_hdf5(bench, tmp_path):
    path = tmp_path / "linked.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"conv"])
        file["conv"] = h5py.ExternalLink("/etc/passwd", "/")
    trust = ("--arch", "small-cnn", "--trust-model", digest(path))
    assert_complaint(run(*arguments(path, bench, *trust)), 65, "H5Link")
