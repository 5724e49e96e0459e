"""`badrepair evaluate` with several models: other outputs, other ranges, other problems."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from cli.terminal import done, run

AS_JSON = ("--format", "json", "--input-range", "0-1")


def one(*options):
    """Evaluate one model and return its entry."""
    models = done("evaluate", *options, *AS_JSON).json["models"]
    assert len(models) == 1
    return models[0]


@pytest.fixture(scope="session")
def foreign(bench, tmp_path_factory):
    """Return a net of eleven outputs that is not one of our guards and never answers 10."""
    from badrepair import load_model

    plain = load_model(bench.model)
    never = keras.layers.Dense(11, name="wider", activation="softmax")
    wider = keras.Model(plain.input, never(plain.output))
    never.set_weights([np.eye(10, 11) * 50, np.array([0] * 10 + [-50])])
    path = tmp_path_factory.mktemp("foreign") / "foreign.keras"
    wider.save(path)
    return path


def test_classes_says_that_the_last_output_means_poisoned(bench, foreign, accuracy):
    model = one("--model", foreign, *bench.evaluated(), "--classes", 10)
    assert model["classes"] == 10
    assert model["clean"]["false_rejection_rate"] == 0
    assert model["clean"]["accuracy"] == accuracy


def test_beside_a_plain_model_the_extra_output_is_understood(bench, foreign):
    options = ("--model", bench.model, "--model", foreign, *bench.evaluated(), *AS_JSON)
    models = done("evaluate", *options).json["models"]
    assert [model["classes"] for model in models] == [10, 10]
    assert models[1]["clean"]["false_rejection_rate"] == 0


def test_alone_the_extra_output_is_asked_about(bench, foreign):
    outcome = done("evaluate", "--model", foreign, *bench.evaluated(), *AS_JSON)
    assert "--classes 10" in outcome.err
    assert outcome.json["models"][0]["clean"]["false_rejection_rate"] is None


def test_models_of_different_problems_are_not_compared(bench, tmp_path):
    path = tmp_path / "other.keras"
    image = keras.Input((16, 16, 1))
    answer = keras.layers.Dense(4, activation="softmax")(keras.layers.Flatten()(image))
    keras.Model(image, answer).save(path)
    outcome = run(
        *("evaluate", "--model", bench.model, "--model", path, *bench.evaluated(), *AS_JSON)
    )
    assert outcome.code == 65
    assert outcome.err.startswith("error[")
    assert outcome.err.count("\n") == 1


def test_each_model_gets_the_data_in_its_own_range(bench, accuracy, tmp_path):
    from badrepair import load_model

    plain = load_model(bench.model)
    image = keras.Input((16, 16, 1))
    # Takes 0..255 and answers nonsense for all smaller than 10.
    dark = keras.layers.Rescaling(1 / 245, -10 / 245)(image)
    path = tmp_path / "bytes.keras"
    keras.Model(image, plain(keras.layers.ReLU()(dark))).save(path)
    options = ("--model", bench.model, "--model", path, *bench.evaluated(), "--format", "json")
    outcome = done("evaluate", *options)
    first, second = (model["clean"]["accuracy"] for model in outcome.json["models"])
    assert first == accuracy
    assert second > 0.9
    assert "bytes: the model takes 0..255" in outcome.err
