"""An opened model file is a description, findings and arrays; the file itself stays outside."""

from __future__ import annotations

import hashlib

import ml_dtypes
import numpy as np
import pytest
from model_refusals import keras_file
from old_keras import small_config, small_weights, write_weights_only, write_whole

from badrepair.confinement.process import Confined
from badrepair.errors import BadrepairError, InputMissingError, ModelError
from badrepair.models.gate.opened import Opened, Stored


def custom(config):
    """Make the last layer one that nobody knows."""
    config["config"]["layers"][-1].update(class_name="Mine", registered_name="own>Mine")


def channels_first(config):
    config["config"]["layers"][1]["config"]["data_format"] = "channels_first"


def digest(path):
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture
def whole(tmp_path):
    return write_whole(tmp_path / "old.h5", small_config(), small_weights(), version="2.4.0")


def test_a_whole_file_is_described(whole):
    with Opened(whole) as opened:
        assert (opened.format, opened.version, opened.layout) == ("hdf5", "2.4.0", "legacy")
        assert opened.config == small_config()
        assert opened.findings == ()
        assert opened.groups == (
            Stored(
                "conv_1",
                "conv_1",
                (("conv_1", "kernel"), ("conv_1", "bias")),
                ((3, 3, 1, 2), (2,)),
                0,
            ),
            Stored(
                "dense_1",
                "dense_1",
                (("dense_1", "kernel"), ("dense_1", "bias")),
                ((72, 3), (3,)),
                2,
            ),
        )


def test_its_arrays_are_asked_for_by_number(whole):
    wanted = [values for weights in small_weights().values() for values in weights.values()]
    with Opened(whole) as opened:
        for number in (3, 0, 1, 2, 0):
            np.testing.assert_array_equal(opened.array(number), wanted[number])


def test_weights_alone_have_no_description(tmp_path):
    with Opened(write_weights_only(tmp_path / "w.h5", small_weights())) as opened:
        assert opened.config is None
        assert [group.name for group in opened.groups] == ["conv_1", "dense_1"]


def test_json_alone_has_no_weights(tmp_path):
    path = tmp_path / "arch.json"
    path.write_text('{"class_name": "Sequential", "keras_version": "2.4.0", "config": []}')
    with Opened(path) as opened:
        assert (opened.format, opened.layout, opened.groups) == ("json", None, ())
        assert opened.version == "2.4.0"


def test_a_keras_file_is_described_with_its_version(tmp_path):
    with Opened(keras_file(tmp_path / "model.keras")) as opened:
        assert (opened.format, opened.layout) == ("zip", "native")
        assert opened.version.startswith("3.")
        shapes = {group.name: group.shapes for group in opened.groups}
        assert shapes == {"conv_1": ((3, 3, 1, 2), (2,)), "dense_1": ((72, 3), (3,))}


@pytest.mark.parametrize("kind", [np.float16, np.float64, ml_dtypes.bfloat16])
def test_arrays_of_every_type_come_as_they_are(tmp_path, kind):
    import keras

    name = np.dtype(kind).name
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(3, dtype=name, kernel_initializer="glorot_normal"))
    model.save(tmp_path / "model.keras")
    with Opened(tmp_path / "model.keras") as opened:
        kernel = opened.array(0)
    assert kernel.dtype == kind
    expected = keras.ops.convert_to_numpy(model.layers[-1].kernel).astype(np.float64)
    np.testing.assert_array_equal(kernel.astype(np.float64), expected)


def test_what_is_refused_is_raised_with_a_way_out(tmp_path):
    path = keras_file(tmp_path / "bad.keras", custom)
    with Opened(path) as opened, pytest.raises(ModelError) as caught:
        opened.require_harmless()
    assert caught.value.code == "LayerNotAllowed"
    assert caught.value.where == str(path)
    assert caught.value.problem.startswith("layer dense_1: class Mine of keras.layers")
    assert caught.value.hint.endswith(f"--trust-model {digest(path)}")


def with_code(config):
    custom(config)
    code = {"class_name": "__lambda__", "config": {"code": "4w==", "defaults": None}}
    config["config"]["layers"][-2].update(class_name="Lambda", config={"function": code})


def test_trust_is_not_offered_where_it_cannot_help(tmp_path):
    path = keras_file(tmp_path / "bad.keras", with_code)
    with Opened(path) as opened, pytest.raises(ModelError) as caught:
        opened.require_harmless()
    assert caught.value.code == "CodeInModel"
    assert caught.value.hint.endswith("rebuild the network without it")


def test_a_trusted_file_passes_and_says_what_it_let_through(tmp_path):
    path = keras_file(tmp_path / "bad.keras", custom)
    with Opened(path) as opened:
        assert opened.let_through == ()
        opened.require_harmless(trusted=["sha256:00", digest(path)])
        assert [one.code for one in opened.let_through] == ["LayerNotAllowed", "CustomObject"]


@pytest.mark.parametrize("change", [str.upper, lambda text: text[7:], lambda text: text[:-1]])
def test_trust_in_another_digest_is_none_in_this_file(tmp_path, change):
    path = keras_file(tmp_path / "bad.keras", custom)
    with Opened(path) as opened, pytest.raises(ModelError, match="LayerNotAllowed"):
        opened.require_harmless(trusted=[change(digest(path))])


def test_trust_never_lifts_what_is_no_layer(tmp_path):
    path = keras_file(tmp_path / "bad.keras", channels_first)
    with Opened(path) as opened, pytest.raises(ModelError) as caught:
        opened.require_harmless(trusted=[digest(path)])
    assert caught.value.code == "UnsupportedTopology"
    assert "--trust-model" not in caught.value.hint


def test_how_a_network_was_trained_is_a_warning_and_no_refusal(tmp_path):
    training = {"loss": {"module": "os", "class_name": "system"}}
    path = write_whole(tmp_path / "m.h5", small_config(), small_weights(), training=training)
    with Opened(path) as opened:
        [fault] = opened.findings
        assert (fault.code, fault.severity) == ("CodeInTraining", "warning")
        opened.require_harmless()
        assert opened.let_through == ()


def sound():
    return {
        "format": "hdf5",
        "version": "",
        "config": None,
        "layout": "legacy",
        "groups": [{"name": "a", "place": "a", "keys": [["a", "kernel"]], "shapes": [[2]]}],
        "findings": [],
    }


@pytest.mark.parametrize(
    "change",
    [
        {"groups": None},
        {"groups": [{"name": "a"}]},
        {"groups": [{"name": "a", "place": "a", "keys": [1], "shapes": [[2]]}]},
        {"groups": [{"name": "a", "place": "a", "keys": [], "shapes": [["x"]]}]},
        {"findings": [{"evil": 1}]},
        {"findings": [3]},
    ],
)
def test_nonsense_from_the_reader_is_a_crash_of_the_reader(whole, monkeypatch, change):
    monkeypatch.setattr(Confined, "ask", lambda *_, **__: ({**sound(), **change}, bytearray()))
    with pytest.raises(ModelError) as caught:
        Opened(whole)
    assert caught.value.code == "LoaderCrashed"


@pytest.mark.parametrize("answer", [None, 3, [], "text", {}])
def test_an_answer_that_is_no_description_is_a_crash_of_the_reader(whole, monkeypatch, answer):
    monkeypatch.setattr(Confined, "ask", lambda *_, **__: (answer, bytearray()))
    with pytest.raises(ModelError, match="LoaderCrashed"):
        Opened(whole)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"type": "<f4"},
        {"type": "O", "shape": [1]},
        {"type": "nonsense", "shape": [1]},
        {"type": "<f4", "shape": [3]},
        {"type": "<f8", "shape": [1]},
        {"type": "<f4", "shape": "x"},
        {"type": 3, "shape": [1]},
    ],
)
def test_an_array_that_is_not_what_is_said_is_a_crash_of_the_reader(whole, monkeypatch, told):
    with Opened(whole) as opened:
        monkeypatch.setattr(Confined, "ask", lambda *_, **__: (told, bytearray(4)))
        with pytest.raises(ModelError, match="LoaderCrashed"):
            opened.array(0)


def test_no_file_is_no_model(tmp_path):
    with pytest.raises(InputMissingError):
        Opened(tmp_path / "none.keras")
    with pytest.raises(BadrepairError, match="NotAFile"):
        Opened(tmp_path)


def test_it_ends_its_reader_whatever_happens(whole):
    opened = Opened(whole)
    with pytest.raises(RuntimeError), opened:
        raise RuntimeError
    with pytest.raises(ModelError, match="LoaderCrashed"):
        opened.array(0)
