"""What every defence promises, whatever it does inside. A new defence is tested by being there."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys

import keras
import numpy as np
import pytest
from networks import GRAPHS, fill

from badrepair import registry
from badrepair.mending import probes
from badrepair.settings import explanations
from badrepair.types import Dataset

BATCH = 10
SMALL = {
    "batch_size": BATCH,
    "epochs": 2,
    "frr": 0.2,
    "max_drop": 1.0,
    "overlays": 4,
    "recovering_epochs": 1,
    "rounds": 1,
    "steps": 2,
    "teacher_epochs": 1,
    "tuning_batch": BATCH,
    "unlearning_epochs": 1,
    "warm_up": 1,
}
# They compile a dozen functions each; the others show the same in little time.
SLOW = {"anp", "clip", "d3", "fst", "ft-sam", "i-bau", "nad", "rnp", "sau"}


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
        for name in registry.names("defenses")
    ]
)
def kind(request):
    return registry.load("defenses", request.param)


@pytest.fixture(autouse=True)
def _few_probes(monkeypatch):
    """Let stand-ins for the trigger be made in a moment, good or not."""
    monkeypatch.setattr(probes, "STEPS", 2)


@pytest.fixture
def model():
    """Return a network with everything that remembers: dropout, statistics, a softmax."""
    graph = GRAPHS["conv, norm, relu"]
    features = graph.build()
    entry = keras.Input((8, 8, 2))
    return fill(keras.Model(entry, features(keras.layers.Dropout(0.5)(entry))))


def made(kind, **settings):
    """Return the defence with small settings, as far as it has them."""
    known = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in {**SMALL, **settings}.items() if name in known})


def method_of(kind):
    """Return how the defence is called: it repairs, or it is fitted."""
    methods = [getattr(kind, name) for name in ("repair", "fit") if hasattr(kind, name)]
    assert len(methods) == 1
    return methods[0]


def outcome(defense, model, clean):
    """Return all that a user gets, as bytes."""
    result = method_of(type(defense))(defense, model, clean)
    network = result.as_model() if hasattr(result, "as_model") else result.model
    numbers = [*network.get_weights()]
    if hasattr(result, "score"):
        numbers += [np.array(result.threshold), result.score(clean.images)]
    curve = [dict(row) for row in getattr(result, "curve", ())]
    words = json.dumps([result.choices, curve], sort_keys=True).encode()
    return words + b"".join(np.asarray(number).tobytes() for number in numbers)


def test_there_are_defences_to_test():
    assert {"fine-pruning", "max-softmax", "strip"} <= set(registry.names("defenses"))


def test_the_network_passed_in_stays_bit_identical(kind, model, clean):
    def state():
        config = json.dumps(model.get_config(), sort_keys=True)
        return config, [weight.tobytes() for weight in model.get_weights()]

    before, variables = state(), len(model.variables)
    answers = model(clean.images).numpy()
    outcome(made(kind), model, clean)
    assert state() == before
    assert len(model.variables) == variables
    assert [layer.trainable for layer in model.layers] == [True] * len(model.layers)
    np.testing.assert_array_equal(model(clean.images), answers)


def test_the_same_seed_gives_the_same_result_whatever_the_world_does(kind, model, clean):
    outcomes = []
    for world in (1, 2):
        keras.utils.set_random_seed(world)
        outcomes.append(outcome(made(kind, seed=3), model, clean))
    assert outcomes[0] == outcomes[1]


def test_another_seed_gives_another_result_unless_nothing_is_random(kind, model, clean):
    """A defence that draws nothing has a seed too, so that all are called alike, and says so."""
    says_so = "seed: Changes nothing, since nothing is random" in kind.__doc__
    first, second = (outcome(made(kind, seed=seed), model, clean) for seed in (3, 4))
    assert (first == second) is says_so


def test_no_randomness_is_taken_from_the_world(kind, model, clean):
    keras.utils.set_random_seed(1)
    before = np.random.get_state()[1].tobytes()  # noqa: NPY002
    outcome(made(kind), model, clean)
    assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002


def test_the_clean_data_may_be_read_only_and_stays_as_it_is(kind, model, clean):
    images, labels = clean.images.copy(), clean.labels.copy()
    for array in (images, labels):
        array.setflags(write=False)
    outcome(made(kind), model, Dataset(images=images, labels=labels))
    np.testing.assert_array_equal(images, clean.images)
    np.testing.assert_array_equal(labels, clean.labels)


def test_images_are_read_by_batches_and_never_whole(kind, model, clean, recording):
    images = recording(clean.images)
    method_of(kind)(made(kind), model, Dataset(images=images, labels=clean.labels))
    assert {row for _, rows in images.reads for row in rows} == set(range(24))
    assert max(len(rows) for _, rows in images.reads) <= BATCH


def test_mistake_2_a_defence_is_given_the_network_and_clean_data_and_nothing_else(kind):
    parameters = inspect.signature(method_of(kind)).parameters
    assert list(parameters) == ["self", "model", "clean"]
    plain = inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {parameter.kind for parameter in parameters.values()} == {plain}


def test_the_settings_are_a_frozen_keyword_only_dataclass_with_a_seed(kind):
    fields = dataclasses.fields(kind)
    assert kind.__dataclass_params__.frozen
    assert all(field.kw_only for field in fields)
    assert "seed" in {field.name for field in fields}
    with pytest.raises(dataclasses.FrozenInstanceError):
        made(kind).seed = 1


def test_every_setting_is_explained_and_nothing_else_is(kind):
    explained = [name for each in reversed(kind.__mro__) for name in explanations(each)]
    assert explained == [field.name for field in dataclasses.fields(kind)]


def test_a_fitted_detector_has_a_name_that_fits_into_a_table(kind, model, clean):
    result = method_of(kind)(made(kind), model, clean)
    if hasattr(result, "score"):
        assert 0 < len(result.name) <= 20
        assert result.name.lower().replace("_", "-") in {*registry.names("defenses")}


def test_every_setting_has_a_default_so_that_the_command_needs_no_option(kind):
    assert kind() == kind(seed=0)


def test_the_module_cites_its_paper(kind):
    assert re.search(r"arXiv:\d{4}\.\d{4,5}", sys.modules[kind.__module__].__doc__)
