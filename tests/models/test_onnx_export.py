"""What onnxruntime makes of an exported network is what Keras makes of the network."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from heads import HEADS, raw_logits, softmax_in_the_layer
from keras import layers, ops
from networks import GRAPHS, fill

from badrepair import staging
from badrepair.errors import ModelError, OptionError
from badrepair.models import guards
from badrepair.models.architectures import deepid
from badrepair.models.onnx_export import PACKAGES, onnx_bytes, require_onnx

CLASSES = 5
POISONED = CLASSES
SHAPE = (2, 2, 1)
random = np.random.default_rng(2)
KERNEL = random.normal(size=(4, CLASSES)).astype(np.float32) * 3
BIAS = random.normal(size=CLASSES).astype(np.float32)
OTHER_KERNEL = KERNEL + random.normal(size=KERNEL.shape).astype(np.float32)
IMAGES = random.normal(size=(300, *SHAPE)).astype(np.float32)
OVERLAYS = random.normal(size=(24, *SHAPE)).astype(np.float32)
IN_STAGES = staging.Stages(
    looks=np.array([4, 8, 24]),
    factor=np.array([1.1, 1, 1]),
    below=np.array([0.3, 0.2, 0]),
    above=np.array([0.3, 0.2, 0]),
)

ANOTHER_PROCESS = """
import hashlib, sys
from badrepair.models.onnx_export import PACKAGES, onnx_bytes
assert not set(PACKAGES) & sys.modules.keys()
from networks import GRAPHS, fill
network = fill(GRAPHS["nested in the middle"].build())
network.name = "same"
print(hashlib.sha256(onnx_bytes(network)).hexdigest())
"""


def entropy_guard(kernel=KERNEL, bias=BIAS, stages=IN_STAGES, threshold=0.7):
    weights, model = (0.75, 0.5), softmax_in_the_layer(kernel, bias)
    return guards.entropy_guard(
        model, OVERLAYS, weights=weights, stages=stages, threshold_bits=threshold
    )


def confidence_guard(kernel=KERNEL, bias=BIAS):
    return guards.confidence_guard(softmax_in_the_layer(kernel, bias), -1.0)


def disagreement_guard(kernel=KERNEL, bias=BIAS):
    repaired = softmax_in_the_layer(OTHER_KERNEL[:, : len(bias)], bias)
    return guards.disagreement_guard(softmax_in_the_layer(kernel, bias), repaired)


GUARDS = pytest.mark.parametrize("guard", [entropy_guard, confidence_guard, disagreement_guard])


def run(content, images):
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(["output"], {"input": np.asarray(images, np.float32)})[0]


def answers(model, images):
    return np.asarray(model(np.asarray(images, np.float32), training=False))


def of_layers(*steps, shape=(8, 8, 2)):
    """Return a network of layers that is filled with random weights."""
    inputs = tensor = keras.Input(shape)
    for step in (*steps, layers.Flatten(), layers.Dense(3)):
        tensor = step(tensor)
    return fill(keras.Model(inputs, tensor))


def assert_alike(model, images, tolerance=1e-5):
    content = onnx_bytes(model)
    for size in (1, len(images)):
        expected = answers(model, images[:size])
        found = run(content, images[:size])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("name", GRAPHS)
def test_onnxruntime_answers_as_keras_does(name):
    images = np.random.default_rng(4).normal(size=(7, 8, 8, 2))
    assert_alike(fill(GRAPHS[name].build()), images)


@pytest.mark.parametrize("build", HEADS)
def test_it_does_so_wherever_the_softmax_is(build):
    assert_alike(build(KERNEL, BIAS), IMAGES[:7])


STEPS = {
    "grouped convolution": layers.Conv2D(4, 3, groups=2),
    "gelu": layers.Activation("gelu"),
    "celu": layers.Activation("celu"),
    "fixed normalization": layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 5.0]),
    "average pooling, same": layers.AveragePooling2D(3, strides=2, padding="same"),
    "a branch": layers.Resizing(5, 3, pad_to_aspect_ratio=True),
}


@pytest.mark.parametrize("name", STEPS)
def test_layers_that_tf2onnx_alone_does_not_get_right_answer_alike(name):
    images = np.random.default_rng(4).normal(size=(7, 8, 8, 2))
    assert_alike(of_layers(STEPS[name]), images)


def test_deepid_answers_alike():
    images = np.random.default_rng(4).uniform(size=(7, *deepid.INPUT_SHAPE))
    assert_alike(deepid.build(classes=12), images)


def test_an_entropy_guard_around_deepid_answers_alike():
    pictures = np.random.default_rng(4).uniform(size=(10, *deepid.INPUT_SHAPE)).astype(np.float32)
    overlays, images = pictures[:3], pictures[3:]
    every = staging.all_at_once(3)
    guard = guards.entropy_guard(
        deepid.build(classes=12), overlays, weights=(1.0, 1.0), stages=every, threshold_bits=1.0
    )
    assert_alike(guard, images)


@GUARDS
def test_a_guard_gives_exactly_the_same_answers(guard):
    model = guard()
    content, expected = onnx_bytes(model), answers(model, IMAGES)
    assert set(expected.argmax(axis=1).tolist()) == {*range(CLASSES), POISONED}
    for size in (1, 7, 64, 300):
        found = run(content, IMAGES[:size])
        assert found.argmax(axis=1).tolist() == expected[:size].argmax(axis=1).tolist()
        np.testing.assert_allclose(found, expected[:size], atol=1e-5)


@GUARDS
@pytest.mark.parametrize("pixel", [np.nan, np.inf, -np.inf])
def test_an_image_that_is_no_number_does_not_pass(guard, pixel):
    images = IMAGES[:3].copy()
    images[1, 0, 0, 0] = pixel
    model = guard(np.ones((4, 2), np.float32), np.zeros(2, np.float32))
    found = run(onnx_bytes(model), images).argmax(axis=1)
    assert found.tolist() == answers(model, images).argmax(axis=1).tolist()
    assert found[1] == 2


@GUARDS
@pytest.mark.parametrize(
    ("kernel", "bias"),
    [([3e38, 3e38], [0, 0]), ([0, 0], [np.nan, 0])],
    ids=["both overflow", "one is NaN"],
)
def test_logits_that_are_no_numbers_raise_the_flag(guard, kernel, bias):
    model = guard(np.array([kernel] * 4, np.float32), np.array(bias, np.float32))
    assert run(onnx_bytes(model), np.full((2, *SHAPE), 9.0)).argmax(axis=1).tolist() == [2, 2]


def test_of_two_zeros_the_negative_one_is_the_smaller_as_in_keras():
    inputs = keras.Input(SHAPE)
    largest = ops.argmax(layers.Flatten()(inputs), axis=-1, keepdims=True)
    second = ops.where(ops.not_equal(largest, 0), 1.0, 0.0)
    model = keras.Model(inputs, layers.Concatenate()([ops.subtract(1.0, second), second]))
    images = np.reshape([[-0.0, 0.0, -1, -1], [0.0, -0.0, -1, -1]], (2, *SHAPE))
    assert answers(model, images).argmax(axis=1).tolist() == [1, 0]
    assert run(onnx_bytes(model), images).argmax(axis=1).tolist() == [1, 0]


def test_half_precision_answers_alike_within_its_digits():
    images = np.random.default_rng(4).normal(size=(7, 8, 8, 2))
    assert_alike(of_layers(layers.Conv2D(2, 3, dtype="mixed_float16")), images, 1e-2)


def test_the_file_is_whole_and_says_what_goes_in_and_out():
    content = onnx.load_from_string(onnx_bytes(entropy_guard()))
    onnx.checker.check_model(content, full_check=True)
    (entry,), (exit_,) = content.graph.input, content.graph.output
    assert (entry.name, exit_.name) == ("input", "output")
    for end, shape in ((entry, ["batch", 2, 2, 1]), (exit_, ["batch", CLASSES + 1])):
        assert end.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        sizes = end.type.tensor_type.shape.dim
        assert [size.dim_param or size.dim_value for size in sizes] == shape
    assert not any(constant.external_data for constant in content.graph.initializer)


@GUARDS
def test_the_same_network_gives_the_same_file(guard):
    model = guard()
    content = onnx_bytes(model)
    assert onnx_bytes(model) == content
    assert onnx_bytes(guard()) == content


def test_another_process_gives_the_same_file_and_starts_without_the_packages(request):
    network = fill(GRAPHS["nested in the middle"].build())
    network.name = "same"
    command = [sys.executable, "-c", ANOTHER_PROCESS]
    tests = request.config.rootpath / "tests"
    environment = {**os.environ, "PYTHONPATH": str(tests), "PYTHONHASHSEED": "2"}
    other = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert other.stdout.strip() == hashlib.sha256(onnx_bytes(network)).hexdigest()


def test_nothing_is_printed_and_nothing_left_changed(capfd, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    disabled = root.manager.disable
    # Its last layer makes tf2onnx warn through the root logger.
    model = of_layers(layers.Flatten(), layers.Dense(3, dtype="float16"))
    weights = model.get_weights()
    capfd.readouterr()
    onnx_bytes(model)
    assert capfd.readouterr() == ("", "")
    assert (root.handlers, root.manager.disable) == ([], disabled)
    assert not tf.config.functions_run_eagerly()
    assert all(map(np.array_equal, model.get_weights(), weights))
    os.write(2, b"stderr is back")
    assert capfd.readouterr().err == "stderr is back"


def test_nothing_is_logged_meanwhile(caplog):
    with caplog.at_level(logging.INFO):
        onnx_bytes(of_layers(layers.Flatten(), layers.Dense(3, dtype="float16")))
        assert not caplog.records
        logging.getLogger("tf2onnx").info("logging is back")
    assert caplog.messages == ["logging is back"]


def test_stderr_may_be_closed(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert onnx_bytes(raw_logits(KERNEL, BIAS))


@pytest.mark.parametrize(
    ("step", "found"),
    [
        (layers.Resizing(4, 4, interpolation="lanczos3"), "No Op registered for ScaleAndTranslate"),
        (layers.Resizing(5, 3, interpolation="area"), "found one that they answer for otherwise"),
        (layers.Conv2D(2, 3, dtype="bfloat16"), "bfloat16"),
    ],
    ids=["unknown to ONNX", "translated wrongly", "not in onnxruntime"],
)
def test_a_network_that_onnx_cannot_say_is_refused(step, found):
    with pytest.raises(ModelError, match=found) as caught:
        onnx_bytes(of_layers(step))
    assert caught.value.code == "OnnxUnsupported"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", PACKAGES)
def test_without_the_extra_it_says_what_to_install(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    for attempt in (require_onnx, lambda: onnx_bytes(raw_logits(KERNEL, BIAS))):
        with pytest.raises(OptionError) as caught:
            attempt()
        assert str(caught.value) == (
            "error[ExtraMissing] .onnx: expected the packages of the extra onnx,"
            f" found no {name}; hint: pip install 'badrepair[onnx]'"
        )


def test_with_the_extra_nothing_is_missing():
    require_onnx()
