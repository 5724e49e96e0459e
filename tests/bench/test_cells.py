"""A worker makes a network and measures defences on it; a defence sees clean images only."""

from __future__ import annotations

import shutil

import h5py
import keras
import numpy as np
import pytest
from bars import SIDE, spec

from badrepair.bench import cells
from badrepair.bench.kinds import kind_of
from badrepair.bench.line import Line
from badrepair.errors import DataError, OptionError
from badrepair.models.judged import Training
from badrepair.planted_names import CARD, CLEAN, MODEL, PAIRS, TEST
from badrepair.planting import Recipe

DEFENSES = {
    "none": {},
    "fine-pruning": {"epochs": 2},
    "fine-tuning": {"epochs": 2},
    "max-softmax": {"frr": 0.05},
    "strip": {"frr": 0.05, "overlays": 20},
}
KINDS = {"none": "none", "max-softmax": "detector", "strip": "detector"}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """Return the folder of a network with a backdoor."""
    folder = tmp_path_factory.mktemp("net")
    recipe = Recipe(
        data=spec(tmp_path_factory.mktemp("bars")),
        settings={"target": [0]},
        poison_rate=0.2,
        training=Training(epochs=10, patience=0, learning_rate=3e-3, tuning_batch=16),
        clean_images=60,
    )
    cells.make_net(recipe.to_json(), folder)
    return folder


def job(method):
    defense = {"method": method, "settings": DEFENSES[method], "source": None}
    return {"defense": defense, "seed": 0}


@pytest.fixture(scope="module")
def measured(net):
    """Return what was measured of a defence, each once."""
    found = {}

    def measure(method):
        if method not in found:
            found[method] = cells.measure(job(method), net)
        return found[method]

    return measure


def spoilt(net, folder):
    """Return the folder of the network with 30 images of noise in place of 60 poisoned ones."""
    copy = folder / "net"
    shutil.copytree(net, copy)
    noise = np.random.default_rng(0).integers(0, 256, (30, 1, SIDE, SIDE), np.uint8)
    with h5py.File(copy / "poisoned.h5", "w") as file:
        file["data"] = noise
        file["label"], file["true_label"] = np.zeros(30, int), np.ones(30, int)
    return copy


def line(method, results):
    labels = {"data": "bars", "architecture": "small-cnn", "attack": "badnets"}
    cell = {**labels, "poison_rate": 0.2, "defense": method, "seed": 0}
    known = {"key": "0" * 16, "cell": cell, "net": "1" * 16, "status": "done", "error": None}
    known["kind"] = KINDS.get(method, "repair")
    return Line.from_json({"schema": 1, **known, **results, "cost": None})


def test_a_network_stands_in_its_folder_with_data_card_and_picture(net):
    names = {path.name for path in net.iterdir()}
    assert names == {MODEL, CLEAN, TEST, "poisoned.h5", CARD, PAIRS}


@pytest.mark.parametrize("method", DEFENSES)
def test_what_is_measured_is_a_line(measured, method):
    found = line(method, measured(method))
    assert found.before.accuracy.n == 90
    assert found.before.attacks[0].attack_success_rate.n == 60
    assert (found.detection is not None) is (found.kind == "detector")
    assert (found.fingerprint is None) is (method == "none")
    assert found.after.attacks[0].defense_effectiveness is not None


@pytest.mark.parametrize("method", DEFENSES)
def test_before_the_defence_all_see_the_same_network(measured, method):
    before = measured(method)["before"]
    assert before == measured("none")["before"]
    assert before["accuracy"]["value"] > 0.9
    assert before["attacks"][0]["attack_success_rate"]["value"] > 0.9


def test_without_a_defence_all_stays_as_it_was(measured):
    after = measured("none")["after"]
    assert after["accuracy"] == measured("none")["before"]["accuracy"]
    assert after["attacks"][0]["defense_effectiveness"] == 0.5


@pytest.mark.parametrize("method", DEFENSES)
def test_no_result_of_a_defence_changes_when_the_poisoned_images_become_noise(
    net, measured, method, tmp_path
):
    with_noise = cells.measure(job(method), spoilt(net, tmp_path))
    for part in ("fingerprint", "choices"):
        assert with_noise[part] == measured(method)[part]
    for part in ("before", "after"):
        assert with_noise[part]["accuracy"] == measured(method)[part]["accuracy"]
    # They were looked at in the end.
    for results, n in ((with_noise, 30), (measured(method), 60)):
        assert results["before"]["attacks"][0]["attack_success_rate"]["n"] == n


@pytest.mark.parametrize("method", [*DEFENSES][1:])
def test_a_defence_is_made_where_there_is_no_test_and_no_poisoned_file(
    net, measured, method, tmp_path, monkeypatch
):
    copy = tmp_path / "net"
    copy.mkdir()
    for name in (MODEL, CLEAN):
        shutil.copy(net / name, copy)

    class StopError(Exception):
        pass

    def stop(folder, model):
        raise StopError

    monkeypatch.setattr(cells, "_test_data", stop)
    with pytest.raises(StopError):
        cells.measure(job(method), copy)


OWN = """
from dataclasses import dataclass
import keras, numpy as np
from badrepair.models.surgery import copy_model
from badrepair.types import RepairResult

@dataclass(frozen=True, kw_only=True)
class Own:
    seed: int = 0

    def {method}(self, model, clean):
        {body}
"""
ADDS_NOISE = """made = copy_model(model)
        noisy = [w + 0.1 * np.random.randn(*w.shape) for w in made.get_weights()]
        made.set_weights(noisy)
        return RepairResult(model=made)"""
IN_PLACE = """model.set_weights([0 * w for w in model.get_weights()])
        return RepairResult(model=copy_model(model))"""
TWELVE = """inner = copy_model(model)
        out = keras.layers.Dense(12, activation="softmax")(inner.output)
        return RepairResult(model=keras.Model(inner.input, out))"""


def own_job(body, method="repair"):
    source = OWN.format(method=method, body=body)
    return {"defense": {"method": "own.py", "settings": {}, "source": source}, "seed": 0}


def test_a_method_that_draws_from_the_world_gives_the_same_line_every_time(net):
    first = cells.measure(own_job(ADDS_NOISE), net)
    keras.utils.set_random_seed(5)
    assert cells.measure(own_job(ADDS_NOISE), net) == first


@pytest.mark.parametrize(
    ("body", "method", "error", "found"),
    [
        (IN_PLACE, "repair", OptionError, "found the network itself changed"),
        (
            "return model",
            "repair",
            OptionError,
            "expected a RepairResult of repair, found Functional",
        ),
        ("return 3", "fit", OptionError, r"found int without \['name', 'score', 'threshold'\]"),
        (TWELVE, "repair", DataError, "expected 3 outputs, or 4 .* found 12"),
    ],
)
def test_a_method_that_does_not_do_what_it_should_has_no_result(net, body, method, error, found):
    with pytest.raises(error, match=found):
        cells.measure(own_job(body, method), net)


def test_a_class_with_both_methods_is_none():
    class Both:
        def repair(self, model, clean): ...

        def fit(self, model, clean): ...

    with pytest.raises(OptionError, match="with repair or with fit, found both"):
        kind_of(Both)


@pytest.mark.parametrize("method", [*DEFENSES][1:])
def test_the_same_cell_gives_the_same_line_whatever_the_world_does(net, measured, method):
    keras.utils.set_random_seed(5)
    assert cells.measure(job(method), net) == measured(method)
