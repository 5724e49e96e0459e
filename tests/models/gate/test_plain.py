"""What Keras 2 wrapped is unwrapped, and how a network was trained is left out and told of."""

from __future__ import annotations

import pytest

from badrepair.models.gate.plain import plain, training_faults


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"class_name": "__tuple__", "items": [1, 2]}, [1, 2]),
        ({"class_name": "TensorShape", "items": [None, 8, 8, 1]}, [None, 8, 8, 1]),
        ({"class_name": "__tuple__", "items": [{"type": "list", "value": [3]}]}, [[3]]),
        ({"type": "ndarray", "value": [0.5]}, [0.5]),
        ({"type": "ndarray", "value": 1, "more": 2}, {"type": "ndarray", "value": 1, "more": 2}),
        ({"class_name": "Dense", "items": [1]}, {"class_name": "Dense", "items": [1]}),
        ([1, "a", None, True], [1, "a", None, True]),
    ],
)
def test_what_is_wrapped_is_unwrapped_and_the_rest_stays(value, expected):
    assert plain(value) == expected
    assert plain({"deep": [value]}) == {"deep": [expected]}


def test_how_a_network_was_trained_is_left_out_at_every_depth():
    inner = {"class_name": "Sequential", "compile_config": {"loss": "evil"}, "config": {"a": 1}}
    value = {"config": {"layers": [inner]}, "training_config": {}, "compile_config": None}
    kept = {"class_name": "Sequential", "config": {"a": 1}}
    assert plain(value) == {"config": {"layers": [kept]}}


def found(value):
    return [(fault.path, fault.problem) for fault in training_faults(value)]


def training(**config):
    return {"compile_config": config}


@pytest.mark.parametrize(
    "config",
    [
        {"optimizer": "adam", "loss": "mse", "metrics": ["accuracy"]},
        {"loss": {"module": "keras.losses", "class_name": "MeanSquaredError", "config": {}}},
        {"loss": {"module": "builtins", "class_name": "str", "config": "mse"}},
        {"optimizer": {"class_name": "Adam", "config": {"learning_rate": 0.1}}},
    ],
)
def test_training_by_kerass_own_means_is_no_fault(config):
    assert found(training(**config)) == []


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        ({"module": "os", "class_name": "system", "config": "id"}, "os.system"),
        ({"module": "keras_cv.losses", "class_name": "Focal"}, "keras_cv.losses.Focal"),
        ({"module": "kerasx", "class_name": "A"}, "kerasx.A"),
        ({"class_name": "Lambda", "config": {}}, "Lambda"),
        (
            {"module": "keras.config", "class_name": "function", "config": "f"},
            "keras.config.function",
        ),
        ({"class_name": "A", "registered_name": "mine>A"}, "A"),
        ({"module": "a\x1b[31m", "class_name": "B"}, r"a\x1b[31m.B"),
    ],
)
def test_what_keras_would_look_up_is_a_warning(loss, shown):
    [fault] = training_faults(training(loss=[loss]))
    assert fault.problem == f"it names {shown}, which Keras would look up or run"
    assert (fault.code, fault.severity) == ("CodeInTraining", "warning")
    assert fault.path == "config.compile_config.loss[0]"


def test_every_fault_of_the_training_is_found_at_every_depth():
    evil = {"module": "os", "class_name": "system"}
    inside = {"module": "keras.losses", "class_name": "Loss", "config": {"fn": evil}}
    value = [{"training_config": {"a": evil, "b": [inside]}}]
    assert [path for path, _ in found(value)] == [
        "config[0].training_config.a",
        "config[0].training_config.b[0].config.fn",
    ]


def test_what_stands_outside_of_the_training_is_none_of_its_faults():
    assert found({"layers": [{"module": "os", "class_name": "system"}]}) == []
