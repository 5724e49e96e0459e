"""A detector is bound to the files that its network was read from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from badrepair.detectors.binding import Binding, ModelIdentity
from badrepair.errors import DataError, InputMissingError, ModelError

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"abc")
    return tmp_path / "model.keras"


@pytest.fixture
def other(tmp_path):
    (tmp_path / "other").touch()
    return tmp_path / "other"


def bound(model, **files):
    return Binding.of_files(model, **files, input_range="0-1", classes=10)


def described(**changes):
    plain = Binding(
        identity=ModelIdentity(model=ABC), model="m.keras", input_range="0-1", classes=10
    ).to_json()
    return {**plain, **changes}


def test_a_network_is_known_by_the_digests_of_its_files(model, other):
    assert ModelIdentity.of_files(model) == ModelIdentity(model=ABC)
    both = ModelIdentity.of_files(model, weights=other, arch=str(other))
    assert both == ModelIdentity(model=ABC, weights=EMPTY, arch=EMPTY)


def test_a_built_in_network_is_known_by_its_name(model, tmp_path, monkeypatch):
    # The loader takes the name for the network's, whatever file is called so.
    (tmp_path / "deepid").touch()
    monkeypatch.chdir(tmp_path)
    assert ModelIdentity.of_files(model, arch="deepid").arch == "deepid"
    assert bound(model, arch="deepid").arch == "deepid"


def test_a_file_that_is_not_there_is_named(model, tmp_path):
    with pytest.raises(InputMissingError, match="nowhere"):
        ModelIdentity.of_files(model, weights=tmp_path / "nowhere")
    with pytest.raises(DataError, match="NotAFile"):
        ModelIdentity.of_files(tmp_path)


def test_the_paths_are_kept_so_that_they_hold_in_any_folder(model, other, monkeypatch):
    monkeypatch.chdir(model.parent)
    binding = bound(Path("model.keras"), weights=Path("other"), arch="other")
    assert (binding.model, binding.weights, binding.arch) == (str(model), str(other), str(other))


def test_the_same_network_is_let_through(model):
    ModelIdentity(model=ABC).require(ModelIdentity.of_files(model))


@pytest.mark.parametrize(
    ("own", "found", "where", "problem", "hint"),
    [
        (
            *({"model": ABC}, {"model": EMPTY}, "--model"),
            "the detector was made for SHA-256 ba7816bf8f01…, found SHA-256 e3b0c44298fc…",
            "--model FILE names the one it was made for",
        ),
        (
            *({"model": ABC, "weights": EMPTY}, {"model": ABC}, "--weights"),
            "the detector was made for SHA-256 e3b0c44298fc…, found none",
            "--weights FILE names the one it was made for",
        ),
        (
            *({"model": ABC}, {"model": ABC, "arch": "deepid"}, "--arch"),
            "the detector was made for none, found deepid",
            "leave out --arch",
        ),
    ],
)
def test_another_network_is_one_line_with_the_option_to_change(own, found, where, problem, hint):
    with pytest.raises(ModelError) as caught:
        ModelIdentity(**own).require(ModelIdentity(**found))
    error = caught.value
    assert (error.code, error.where, error.problem, error.hint) == (
        *("OtherModel", where, problem, hint),
    )


@pytest.mark.parametrize(
    "name", ["model.keras", "mod\nel \N{SNOWMAN}.keras", os.fsdecode(b"m\xff.keras")]
)
def test_it_comes_back_from_json(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"abc")
    binding = Binding.of_files(
        path, weights=path, arch="small-cnn", input_range="as-is", classes=3, color="bgr"
    )
    assert Binding.from_json(json.loads(json.dumps(binding.to_json()))) == binding


@pytest.mark.parametrize(
    "value",
    [
        *(None, [], "model", {}),
        *(described(classes=True), described(classes=1), described(classes=2.0)),
        *(described(classes=10**9), described(color="cmyk"), described(input_range="0-2")),
        *(described(model=None), described(model="x" * 100_000), described(identity=None)),
        described(identity={"model": ABC}),
        described(identity={"model": "", "weights": "", "arch": ""}),
        described(identity={"model": ABC.upper(), "weights": "", "arch": ""}),
        described(identity={"model": ABC, "weights": "deepid", "arch": ""}),
        described(identity={"model": ABC, "weights": "", "arch": "../deepid"}),
        described(identity={"model": ABC, "weights": "", "arch": ["deepid"]}),
    ],
)
def test_what_describes_none_is_refused(value):
    assert Binding.from_json(described()).classes == 10
    with pytest.raises(ValueError, match=r"binding|digest|range|classes|architecture"):
        Binding.from_json(value)
