"""Fine-tuning alone trains on clean images, prunes nothing, and keeps its best epoch."""

from __future__ import annotations

import numpy as np
import pytest
from networks import GRAPHS, fill

from badrepair.defenses.fine_tuning import FineTuning
from badrepair.errors import DataError, OptionError
from badrepair.types import Dataset


@pytest.fixture
def model():
    return fill(GRAPHS["conv, norm, relu"].build())


def learnable(model):
    """Return images that the network answers at random, and that it can learn: bright or dark."""
    random = np.random.default_rng(0)
    labels = np.arange(60) % 2
    shape = (60, *model.input_shape[1:])
    images = random.normal(size=shape) * 0.1 + labels[:, None, None, None]
    return Dataset(images=images.astype(np.float32), labels=labels)


def accuracy(model, data):
    return float(np.mean(model(data.images).numpy().argmax(axis=1) == data.labels))


def test_the_network_learns_what_the_clean_images_show(model):
    data = learnable(model)
    result = FineTuning(epochs=20, learning_rate=1e-2, tuning_batch=8).repair(model, data)
    assert accuracy(model, data) < 0.8
    assert accuracy(result.model, data) > 0.95
    assert result.choices["epoch"] > 0
    assert result.choices["images"] == {"tuning": 48, "held_out": 12}


def test_without_epochs_nothing_changes(model):
    result = FineTuning(epochs=0).repair(model, learnable(model))
    for before, after in zip(model.get_weights(), result.model.get_weights(), strict=True):
        assert np.array_equal(before, after)
    assert result.choices["why_epoch"] == "no fine-tuning was asked for"


def test_an_epoch_below_the_budget_is_undone(model):
    data = learnable(model)
    right = model(data.images).numpy().argmax(axis=1)
    # The network is right on all; learning labels that are turned around can only hurt.
    wrong = Dataset(images=data.images, labels=right)
    wild = FineTuning(epochs=1, learning_rate=1e4, max_drop=0.0).repair(model, wrong)
    assert wild.choices["baseline_accuracy"] == 1
    kept = wild.choices["epoch"]
    assert kept == 0 or wild.choices["tuning_curve"][kept - 1] == 1


def test_too_few_images_are_told(model):
    data = learnable(model).take(np.arange(1))
    with pytest.raises(DataError, match="expected clean images to tune on and others"):
        FineTuning().repair(model, data)


@pytest.mark.parametrize(
    ("setting", "option"),
    [
        ({"max_drop": 2}, "--max-drop"),
        ({"epochs": -1}, "--epochs"),
        ({"patience": -1}, "--patience"),
        ({"learning_rate": 0.0}, "--learning-rate"),
        ({"learning_rate": float("inf")}, "--learning-rate"),
        ({"tuning_batch": 0}, "--tuning-batch"),
        ({"augment": "cut"}, "--augment"),
        ({"held_out": 1.0}, "--held-out"),
        ({"batch_size": 0}, "--batch-size"),
    ],
)
def test_settings_that_cannot_be_are_refused(setting, option):
    with pytest.raises(OptionError, match=option):
        FineTuning(**setting)
