"""The walk over a description finds all that is no known layer, and says where it stands."""

from __future__ import annotations

import pytest

from badrepair.models.gate import allowed
from badrepair.models.gate.allowed import walk
from badrepair.models.gate.sizes import MOST_LAYERS

GADGET = {"class_name": "function", "module": "keras.config", "config": "set_floatx"}


def layer(kind="Dense", name="scores", module="keras.layers", **config):
    return {"module": module, "class_name": kind, "config": {"name": name, **config}}


def network(*layers, **more):
    return {"class_name": "Sequential", "config": {"name": "net", "layers": list(layers)}, **more}


def found(config):
    return [(one.code, one.where, one.path) for one in walk(config)]


def codes(config):
    return [one.code for one in walk(config)]


@pytest.mark.parametrize("kind", sorted(allowed.LAYERS))
@pytest.mark.parametrize("module", [None, "keras.layers"])
def test_every_known_layer_passes(kind, module):
    assert found(network(layer(kind, module=module))) == []


@pytest.mark.parametrize("kind", ["Functional", "Model", "Sequential"])
@pytest.mark.parametrize("module", [None, "keras", "keras.models", "keras.src.models.functional"])
def test_networks_pass_at_every_depth(kind, module):
    inner = {**network(layer()), "class_name": kind, "module": module}
    assert found({**network(inner), "class_name": kind, "module": module}) == []


@pytest.mark.parametrize("kind", sorted(allowed.OPERATIONS))
def test_the_known_operations_pass_from_their_own_module(kind):
    assert found(network(layer(kind, module="keras.src.ops.numpy"))) == []
    assert codes(network(layer(kind, module="keras.src.ops.core"))) == ["LayerNotAllowed"]


@pytest.mark.parametrize("kind", sorted(allowed.BLOCKS))
def test_a_block_of_a_network_of_keras_passes_from_its_own_module(kind):
    home = allowed.BLOCKS[kind]
    assert found(network(layer(kind, module=home), layer(kind, module=None))) == []
    others = {"keras.src.applications.resnet", *allowed.BLOCKS.values()} - {home}
    for other in others:
        assert codes(network(layer(kind, module=other))) == ["LayerNotAllowed"]


@pytest.mark.parametrize(
    "name",
    [
        *("MyLayer", "dense", "Dense ", "StringLookup", "TextVectorization", "Hashing"),
        *("JaxLayer", "FlaxLayer", "RNN", "LSTM", "Discretization", "MelSpectrogram"),
        *("DepthwiseConv3D", "SeparableConv3D", "Layer", "Wrapper", "Pipeline"),
    ],
)
def test_a_layer_that_is_not_known_is_refused_by_its_place(name):
    [fault] = walk(network(layer(), layer(name, "odd")))
    assert (fault.code, fault.where, fault.path) == (
        "LayerNotAllowed",
        "layer odd",
        "config.layers[1]",
    )
    assert fault.problem == f"class {name} of keras.layers is not allowed here"
    assert fault.severity == "refused"


@pytest.mark.parametrize(
    "module",
    [
        *("keras", "keras.src.layers", "keras.src.layers.core.dense", "keras_cv.layers", "os", ""),
        *("builtins", "keras.layers.", "Keras.layers", 3, ["keras.layers"], {"a": 1}, True),
    ],
)
def test_a_layer_from_anywhere_but_kerass_layers_is_refused(module):
    [fault] = walk(network(layer(module=module)))
    assert (fault.code, fault.where) == ("LayerNotAllowed", "layer scores")


@pytest.mark.parametrize("kind", sorted(allowed.CODE))
def test_code_is_called_code_wherever_it_stands(kind):
    for place in (
        network({"class_name": kind, "config": {"name": "evil"}}),
        network(layer(kernel_initializer={"class_name": kind})),
        network(layer(anything=[[{"deep": {"class_name": kind}}]])),
        network(layer("Activation", activation={"class_name": kind})),
        network({**layer(), "inbound_nodes": [{"args": [{"class_name": kind}], "kwargs": {}}]}),
        network(layer(), registered_name={"class_name": kind}),
        [{"class_name": kind}],
        {"class_name": kind},
    ):
        assert "CodeInModel" in codes(place)


@pytest.mark.parametrize("kind", sorted(allowed.FOREIGN_OPERATIONS))
def test_a_bare_tensorflow_operation_is_told_from_an_unknown_layer(kind):
    [fault] = walk(network({"class_name": kind, "config": {"name": "tf.math.add_1"}}))
    assert (fault.code, fault.where) == ("UnsupportedTopology", "layer tf.math.add_1")
    assert f"a {kind}, a bare TensorFlow operation" in fault.problem


@pytest.mark.parametrize("name", [None, 3, [], {}, True])
def test_a_class_whose_name_is_no_text_is_invalid(name):
    assert "ConfigInvalid" in codes(network(layer(name)))


@pytest.mark.parametrize("registered", ["evil>Dense", "Package>Dense", "Conv2D", 3, [], {}])
def test_a_layer_registered_under_another_name_is_custom(registered):
    [fault] = walk(network({**layer(), "registered_name": registered}))
    assert (fault.code, fault.where) == ("CustomObject", "layer scores")


@pytest.mark.parametrize("registered", [None, "Dense"])
def test_a_layer_registered_under_its_own_name_passes(registered):
    assert found(network({**layer(), "registered_name": registered})) == []


@pytest.mark.parametrize(
    ("key", "kind", "module"),
    [
        ("kernel_initializer", "GlorotUniform", "keras.initializers"),
        ("bias_initializer", "Zeros", None),
        ("kernel_regularizer", "L2", "keras.regularizers"),
        ("kernel_constraint", "MaxNorm", "keras.constraints"),
        ("dtype", "DTypePolicy", "keras"),
        ("dtype", "Policy", "keras.mixed_precision"),
    ],
)
def test_what_a_layer_is_made_with_passes_under_its_key_alone(key, kind, module):
    small = {"class_name": kind, "module": module, "config": {"seed": None}}
    assert found(network(layer(**{key: small}))) == []
    assert codes(network(layer(other=small))) == ["LayerNotAllowed"]
    assert codes(network(layer(**{key: {**small, "module": "os"}}))) == ["LayerNotAllowed"]
    assert codes(network(layer(**{key: {"class_name": "Dense"}}))) == ["LayerNotAllowed"]


def test_a_tensor_passes_among_the_arguments_of_a_call_and_a_layer_does_not():
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 0, 0]}}
    node = {"args": [[tensor, tensor]], "kwargs": {"mask": None}}
    assert found(network({**layer(), "inbound_nodes": [node]})) == []
    hidden = {"args": [[layer("Dense", "hidden")]], "kwargs": {}}
    assert codes(network({**layer(), "inbound_nodes": [hidden]})) == ["LayerNotAllowed"]
    assert codes(network(layer(x=tensor))) == ["LayerNotAllowed"]


@pytest.mark.parametrize("name", sorted(allowed.ACTIVATIONS))
def test_every_known_activation_passes(name):
    assert found(network(layer(activation=name, recurrent_activation=name))) == []


@pytest.mark.parametrize("name", ["my_relu", "keras.activations.relu", "", "Relu", "get_file"])
def test_an_unknown_activation_is_refused(name):
    [fault] = walk(network(layer(activation=name)))
    assert (fault.code, fault.path) == (
        "ActivationNotAllowed",
        "config.layers[0].config.activation",
    )


@pytest.mark.parametrize("name", ["string", "object", "float8", "complex64", "mixed_float8", ""])
def test_an_unknown_type_is_refused(name):
    assert codes(network(layer(dtype=name))) == ["LayerNotAllowed"]


@pytest.mark.parametrize("name", sorted(allowed.DTYPES))
def test_every_known_type_passes(name):
    assert found(network(layer(dtype=name))) == []


@pytest.mark.parametrize("name", ["", "..", "a..b", "\x1b[31m", "a\nb", "\u202egnp", "n" * 257])
def test_a_name_that_could_do_harm_is_refused_and_not_printed(name):
    faults = [*walk(network(layer(name=name)))]
    assert [one.code for one in faults] == ["BadName"]
    assert all(one.sentence.isprintable() for one in faults)


@pytest.mark.parametrize("name", ["conv2d_1", "block/conv 1", "層", "a.b", "n" * 256])
def test_other_names_pass(name):
    assert found(network(layer(name=name))) == []


def test_images_with_channels_first_are_unsupported_and_the_layer_named():
    [fault] = walk(network(layer("Conv2D", "conv", data_format="channels_first")))
    assert (fault.code, fault.where) == ("UnsupportedTopology", "layer conv")
    assert found(network(layer("Conv2D", data_format="channels_last"))) == []


def test_two_thousand_layers_pass_and_one_more_does_not():
    assert found(network(*[layer()] * MOST_LAYERS)) == []
    half = [layer()] * (MOST_LAYERS // 2)
    [fault] = walk(network(network(*half), *half))
    assert (fault.code, fault.problem) == (
        "LimitExceeded",
        "expected at most 2,000 layers, found 2,001",
    )


def test_a_network_that_is_called_often_counts_as_often():
    """Six networks inside each other, each called twenty times, are 64 million layers."""
    config = network(layer())
    for _ in range(6):
        config = network({**config, "inbound_nodes": [{"args": [], "kwargs": {}}] * 20})
    [fault] = walk(config)
    assert (fault.code, fault.where) == ("LimitExceeded", "the network")


@pytest.mark.parametrize(
    "wrap", [lambda listed: listed, lambda listed: {"class_name": "Sequential", "config": listed}]
)
def test_the_layers_of_keras_1_are_counted_too(wrap):
    assert codes(wrap([layer()] * MOST_LAYERS)) == []
    assert codes(wrap([layer()] * (MOST_LAYERS + 1))) == ["LimitExceeded"]


def test_everything_that_is_wrong_is_found_in_its_order():
    inner = network(layer("Lambda", "code"), layer(activation="odd"))
    inner["config"]["name"] = "inner"
    config = network(layer("Mine", "mine"), inner, layer(kernel_initializer=GADGET))
    assert found(config) == [
        ("LayerNotAllowed", "layer mine", "config.layers[0]"),
        ("CodeInModel", "layer code", "config.layers[1].config.layers[0]"),
        (
            "ActivationNotAllowed",
            "layer scores",
            "config.layers[1].config.layers[1].config.activation",
        ),
        ("CodeInModel", "layer scores", "config.layers[2].config.kernel_initializer"),
    ]


@pytest.mark.parametrize("value", [None, 3, 2.5, True, "text", {}, {"a": {"b": []}}])
def test_what_names_no_class_describes_no_network(value):
    assert found(value) == [("ConfigInvalid", "the network", "")]


@pytest.mark.parametrize("value", [[], [[[]]]])
def test_a_list_may_be_the_layers_of_keras_1(value):
    assert found(value) == []
