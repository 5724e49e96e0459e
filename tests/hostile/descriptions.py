"""Descriptions of networks that run code, look things up or name what is no layer."""

from __future__ import annotations

import base64
import marshal

from honest import FORMS, changed, layer

KERAS, H5, ALL = ("keras",), ("keras", "h5"), ("keras", "h5", "json")
CODE, LAYER, TOPOLOGY = "CodeInModel", "LayerNotAllowed", "UnsupportedTopology"
MARKER, SECRET = "written-by-the-model", "secret.h5"


def function(path):
    """Return how Keras 3 describes a function of its own."""
    module, _, name = path.rpartition(".")
    return {"class_name": "function", "module": module, "config": name, "registered_name": name}


def array(value, dtype="float32"):
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}}


GADGET = function("keras.config.set_floatx")


def bytecode():
    """Return a function in marshalled form, as Keras 2 and 3 store a Lambda's; it writes a file."""
    source = f"lambda x: (open({MARKER!r}, 'w').close(), x)[1]"
    code = compile(source, "model", "eval").co_consts[0]
    return base64.b64encode(marshal.dumps(code)).decode()


def lambda_code():
    config = {"code": bytecode(), "defaults": None, "closure": None}
    return {"class_name": "__lambda__", "config": config}


def described(name, module="keras.layers", **config):
    return {
        "module": module,
        "class_name": name,
        "config": {"name": "evil", **config},
        "registered_name": None,
    }


def lambda_layer(what=None, **more):
    return described("Lambda", **{"function": what or lambda_code(), "arguments": {}, **more})


def instead(entry, place="flatten_1"):
    """Put another layer in the place of one."""
    return lambda config: layer(config, place).update(entry)


def beside(entry, args=(), **kwargs):
    """Add a layer that nothing reads, called with arguments of the file's choice."""
    node = {"args": list(args), "kwargs": kwargs}
    whole = {**entry, "name": "evil", "inbound_nodes": [node]}
    return lambda config: config["config"]["layers"].append(whole)


def setting(key, value, place="dense_1"):
    return lambda config: layer(config, place)["config"].update({key: value})


def saying(key, value, place="dense_1"):
    """Change what stands beside a layer's settings: its class, module or registered name."""
    return lambda config: layer(config, place).update({key: value})


def called(with_what, place="Add"):
    """Replace the second argument of a call."""

    def change(config):
        layer(config, place)["inbound_nodes"][0]["args"][1:] = [with_what]

    return change


def nested(entry, depth):
    """Hide a layer in models in models."""
    for level in range(depth):
        first = described("InputLayer", batch_shape=[None, 6, 6, 2], dtype="float32")
        entry = described("Sequential", "keras", layers=[first, entry])
        entry["config"]["name"] = f"inner_{level}"
    return instead(entry, "conv_1")


def operation(name, module="keras.src.ops.core"):
    return described(name, module)


def trained(key):
    return lambda config: config.update({key: {"loss": GADGET, "optimizer": lambda_layer()}})


def top(**entry):
    return lambda config: {**config, **entry}


# By name: what is changed, the code of the refusal, and the formats.
DESCRIPTIONS = {
    "lambda marshalled": (instead(lambda_layer()), CODE, ALL),
    "lambda in the old form": (instead(lambda_layer([bytecode(), None, None])), CODE, ALL),
    "lambda as output shape": (instead(lambda_layer(GADGET, output_shape=lambda_code())), CODE, H5),
    "lambda naming os.system": (instead(lambda_layer("system", module="os")), CODE, H5),
    "lambda of a keras class": (
        instead({**lambda_layer(), "module": "keras.src.layers.core.lambda_layer"}),
        *(CODE, H5),
    ),
    "lambda around a download": (instead(lambda_layer(function("keras.utils.get_file"))), CODE, H5),
    "lambda lifting the safe mode": (
        instead(lambda_layer(function("keras.config.enable_unsafe_deserialization"))),
        *(CODE, H5),
    ),
    "lambda called with raw arguments": (beside(lambda_layer(GADGET), inputs="float64"), CODE, ALL),
    "lambda asking for weights": (
        beside(
            lambda_layer(
                function("keras.applications.mobilenet.MobileNet"),
                arguments={"weights": "imagenet", "include_top": False},
            ),
            inputs=[128, 128, 3],
        ),
        *(CODE, H5),
    ),
    "lambda drawing a picture": (
        beside(
            lambda_layer(
                function("keras.visualization.plot_image_gallery"),
                arguments={"path": f"{MARKER}.png"},
            ),
            inputs=array([[[[0.0, 0.0, 0.0]]]]),
        ),
        *(CODE, H5),
    ),
    "lambda opening another file": (
        beside(
            lambda_layer(
                function("keras.applications.mobilenet.MobileNet"), arguments={"weights": SECRET}
            ),
            inputs=[32, 32, 3],
        ),
        *(CODE, H5),
    ),
    "lambda one model deep": (nested(lambda_layer(), 1), CODE, H5),
    "lambda five models deep": (nested(lambda_layer(), 5), CODE, H5),
    "lambda in a wrapper": (
        instead(described("TimeDistributed", layer=lambda_layer())),
        *(CODE, H5),
    ),
    "lambda in a forbidden wrapper": (
        instead(described("Bidirectional", layer=lambda_layer())),
        *(LAYER, H5),
    ),
    "lambda in a pipeline": (instead(described("Pipeline", layers=[lambda_layer()])), LAYER, KERAS),
    "function as activation": (setting("activation", GADGET), CODE, ALL),
    "function as initializer": (setting("kernel_initializer", GADGET), CODE, H5),
    "function as regularizer": (setting("kernel_regularizer", GADGET), CODE, H5),
    "function as constraint": (setting("bias_constraint", GADGET), CODE, H5),
    "function as dtype": (setting("dtype", GADGET), CODE, H5),
    "function under an unknown key": (setting("anything", [{"deep": GADGET}]), CODE, H5),
    "function in an initializer": (
        setting("kernel_initializer", described("Constant", "keras.initializers", value=GADGET)),
        *(CODE, H5),
    ),
    "function as the whole network": (lambda config: GADGET, CODE, ALL),
    "function as argument of a call": (called(GADGET), CODE, H5),
    "lambda as argument of a call": (called(lambda_code()), CODE, KERAS),
    "function as named argument of a call": (
        lambda config: layer(config, "dense_1")["inbound_nodes"][0]["kwargs"].update(
            training=GADGET
        ),
        *(CODE, H5),
    ),
    "array as argument of a call": (
        called(array([1], dtype="object")),
        *(LAYER, KERAS),
    ),
    "tensor as argument of a call": (
        called({"class_name": "__tensor__", "config": {"value": [1], "dtype": "float32"}}),
        *(LAYER, KERAS),
    ),
    **{
        f"dead operation {name}": (beside(operation(name), args, **kwargs), LAYER, H5)
        for name, args, kwargs in (
            ("Switch", [0, [GADGET], "float64"], {}),
            ("Map", [GADGET, [1.0]], {}),
            ("Scan", [GADGET, 0.0, [1.0]], {}),
            ("Cond", [], {"pred": True, "true_fn": GADGET, "false_fn": GADGET}),
        )
    },
    "function wrapped as operation": (
        instead(operation("Function", "keras.src.ops.function")),
        *(LAYER, KERAS),
    ),
    "SavedModel by path": (instead(described("TFSMLayer", filepath="/tmp/evil")), CODE, H5),
    "torch module": (instead(described("TorchModuleWrapper", module="gASVAA==")), CODE, H5),
    "jax layer": (instead(described("JaxLayer", call_fn=GADGET)), LAYER, H5),
    "flax layer": (instead(described("FlaxLayer", module=GADGET)), LAYER, KERAS),
    **{
        f"{name} reading a file": (instead(described(name, vocabulary=source)), LAYER, H5)
        for name, source in (
            ("StringLookup", "/etc/passwd"),
            ("IntegerLookup", "gs://evil/vocabulary"),
            ("TextVectorization", "/etc/passwd"),
        )
    },
    "recurrent layer with a cell": (instead(described("RNN", cell=lambda_layer())), LAYER, H5),
    "unknown class": (saying("class_name", "MyLayer"), LAYER, ALL),
    "module os": (saying("module", "os"), LAYER, H5),
    "module subprocess": (instead(described("Popen", "subprocess", args=["id"])), LAYER, H5),
    "module keras_cv": (saying("module", "keras_cv.evil"), LAYER, H5),
    "module keras_hub": (saying("module", "keras_hub.evil"), LAYER, KERAS),
    "module of the inside of keras": (saying("module", "keras.src.layers.core.dense"), LAYER, H5),
    "module that is a list": (saying("module", ["keras.layers"]), LAYER, KERAS),
    "registered by somebody": (saying("registered_name", "evil>Dense"), "CustomObject", ALL),
    "registered custom": (saying("registered_name", "Custom>Dense"), "CustomObject", H5),
    "class name that is a number": (saying("class_name", 3), "ConfigInvalid", H5),
    "class name that is an object": (
        saying("class_name", {"class_name": "Dense"}),
        *("ConfigInvalid", KERAS),
    ),
    "class of its own as the network": (top(class_name="MyModel", module="evil"), LAYER, H5),
    "unknown activation": (setting("activation", "my_relu"), "ActivationNotAllowed", H5),
    "activation by path": (setting("activation", "os.system"), "ActivationNotAllowed", KERAS),
    "quantized type": (
        setting("dtype", described("QuantizedDTypePolicy", "keras.dtype_policies", mode="int8")),
        *(LAYER, KERAS),
    ),
    "initializer from elsewhere": (
        setting("kernel_initializer", described("Evil", "evil")),
        *(LAYER, H5),
    ),
    "gadget in the compile config": (trained("compile_config"), "CodeInTraining", H5),
}


def files(attacks, text):
    """Return makers by name: of some attacks in each format, of others in one, in turns.

    Args:
        attacks: By name (what, code, formats).
        text: Makes the description of what an attack does.
    """

    def maker(what, form):
        return lambda folder: FORMS[form](folder, text(what))

    return {
        f"{name} ({form})": (maker(what, form), code)
        for number, (name, (what, code, forms)) in enumerate(attacks.items())
        for form in (forms if forms is ALL else forms[number % len(forms) :][:1])
    }


FILES = files(DESCRIPTIONS, changed)
