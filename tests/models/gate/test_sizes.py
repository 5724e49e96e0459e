"""What is too large in a description is found without building any of it."""

from __future__ import annotations

import pytest

from badrepair.models.gate.sizes import MOST_CALLS, size_faults


def layer(*, calls, **config):
    return {"class_name": "Flatten", "config": config, "inbound_nodes": [{}] * calls}


def problems(config):
    return [(found.code, found.problem, found.path) for found in size_faults(config)]


def model(layers, *, calls):
    return {"class_name": "Functional", "config": {"layers": layers}, "inbound_nodes": [{}] * calls}


def test_the_calls_of_a_nested_model_are_those_of_its_layers_times_its_own():
    inner = model([layer(calls=100), layer(calls=41)], calls=142)
    (found,) = problems([inner])
    # Each of 142 calls runs the model itself and 141 calls of its layers.
    assert found[:2] == (
        "LimitExceeded",
        f"expected at most {MOST_CALLS:,} calls of layers, found 20,164",
    )
    assert problems([model([layer(calls=100), layer(calls=39)], calls=142)]) == []


def test_the_layers_of_a_sequential_count_though_nothing_says_that_they_are_called():
    plain = {"class_name": "Identity", "config": {}}
    inner = {**model([plain] * 100, calls=200), "class_name": "Sequential"}
    (found,) = problems({"class_name": "Functional", "config": {"layers": [inner]}})
    assert found[1] == f"expected at most {MOST_CALLS:,} calls of layers, found 20,200"
    wrapper = {"class_name": "TimeDistributed", "config": {"layer": inner}}
    (found,) = problems([{**wrapper, "inbound_nodes": [{}] * 2}])
    assert found[1] == f"expected at most {MOST_CALLS:,} calls of layers, found 40,002"
    old = {"class_name": "Sequential", "config": [plain] * 100, "inbound_nodes": [{}] * 201}
    (found,) = problems([old])
    assert found[1] == f"expected at most {MOST_CALLS:,} calls of layers, found 20,301"


def test_layers_of_nested_models_count_together():
    wrapped = {"class_name": "Sequential", "config": {"layers": [{}] * 1_999}}
    (found,) = problems({"class_name": "Functional", "config": {"layers": [wrapped, {}]}})
    assert found[1] == "expected at most 2,000 layers, found 2,001"


@pytest.mark.parametrize(
    ("key", "value", "most"),
    [
        ("units", 2**27 + 1, "134,217,728 for units, found 134,217,729"),
        ("units", -(2**70), "134,217,728 for units, found a number of over 64 bits"),
        ("kernel_size", [3, 2**28], "134,217,728 for kernel_size, found 268,435,456"),
        ("padding", [[0, 0], [0, 20_000]], "16,384 for padding, found 20,000"),
        ("strides", 1_025, "1,024 for strides, found 1,025"),
        ("strides", [1, 100_000], "1,024 for strides, found 100,000"),
        ("dilation_rate", [2_000, 1], "1,024 for dilation_rate, found 2,000"),
        ("pool_size", [2**27], "16,384 for pool_size, found 134,217,728"),
        ("batch_shape", [None, 2**14, 2**14, 3], "134,217,728 for batch_shape, found 805,306,368"),
    ],
)
def test_a_number_that_no_network_needs_is_refused(key, value, most):
    (found,) = problems({"config": {key: value}})
    assert found[:2] == ("LimitExceeded", f"expected at most {most}")
    assert found[2].startswith(f"config.{key}")


@pytest.mark.parametrize("key", ["seed", "shared_object_id"])
def test_what_is_no_size_may_be_any_number(key):
    assert problems({"config": {key: 2**60}}) == []
