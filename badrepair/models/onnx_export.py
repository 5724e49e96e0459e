"""Write a network as ONNX, which onnxruntime runs without TensorFlow.

tf2onnx translates TensorFlow's operations; three that Keras's layers need and it does not know
are added here. The file that comes out was run: it answers as the network does, or is refused.
"""

from __future__ import annotations

import importlib.util
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from badrepair.errors import ModelError, OptionError
from badrepair.muting import stderr_off

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras

# Neither TensorFlow nor the optional packages ship types, so their objects are Any in this file.
PACKAGES = ("tf2onnx", "onnx", "onnxruntime")
INPUT, OUTPUT, BATCH = "input", "output", "batch"
# The last that tf2onnx writes, and the first that has BitwiseAnd.
OPSET = 18
# Two runtimes round differently, most of all in float16; a wrong translation is further off.
TOLERANCE = 0.01
# Of networks that take images of any size.
ANY_SIDE = 64
ONLY_FATAL = 4


def require_onnx() -> None:
    """Refuse to go on without the optional packages, before any work is done.

    Raises:
        OptionError: ExtraMissing.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        problem = f"expected the packages of the extra onnx, found no {', '.join(missing)}"
        raise OptionError("ExtraMissing", ".onnx", problem, "pip install 'badrepair[onnx]'")


def onnx_bytes(model: keras.Model) -> bytes:
    """Return a network as an ONNX file's content, the same for the same network.

    Its input "input" is float32, shape (batch, H, W, C) with any batch; its output "output" is
    float32, shape (batch, classes).

    Args:
        model: Takes (n, H, W, C).

    Raises:
        OptionError: ExtraMissing, without the packages of the extra onnx.
        ModelError: OnnxUnsupported, if ONNX cannot say what one of its layers does.
    """
    require_onnx()
    try:
        with _quiet():
            content: bytes = _translated(model).SerializeToString(deterministic=True)
            alike = _answers_alike(model, content)
    except Exception as error:
        # Whatever it is that tf2onnx and onnxruntime say of an operation that they do not have.
        raise _unsupported(model, f"what they cannot: {_line(error)}") from error
    if not alike:
        raise _unsupported(model, "one that they answer for otherwise")
    return content


def _unsupported(model: keras.Model, found: str) -> ModelError:
    problem = f"expected a network that tf2onnx and onnxruntime can run, found {found}"
    return ModelError("OnnxUnsupported", model.name, problem, "save it as .keras")


def _line(error: Exception) -> str:
    # It may quote what the model's file says, which must not steer a terminal.
    printable = (one if one.isprintable() else " " for one in str(error))
    return " ".join("".join(printable).split())[-200:]


def _translated(model: keras.Model) -> Any:
    """Return the network as an ONNX message."""
    from tf2onnx import optimizer, tf_loader, tfonnx
    from tf2onnx.optimizer.reshape_optimizer import ReshapeOptimizer

    frozen = _frozen(model)
    source, target = frozen.inputs[0].name, frozen.outputs[0].name
    definition = frozen.graph.as_graph_def(add_shapes=True)
    with tf.Graph().as_default() as flat:
        tf.import_graph_def(tf_loader.tf_optimize([source], [target], definition), name="")
        graph = tfonnx.process_tf_graph(
            flat,
            opset=OPSET,
            custom_op_handlers={name: (add, []) for name, add in ADDED.items()},
            input_names=[source],
            output_names=[target],
            tensors_to_rename={source: INPUT, target: OUTPUT},
        )
    # Ahead of the others, which may hide from it what a shape is made of.
    graph = optimizer.optimize_graph(graph, optimizers={"reshape": ReshapeOptimizer})
    message = optimizer.optimize_graph(graph).make_model(model.name)
    _put_in_order(message.graph)
    for end in (message.graph.input[0], message.graph.output[0]):
        end.type.tensor_type.shape.dim[0].dim_param = BATCH
    return message


def _frozen(model: keras.Model) -> Any:
    """Return the network's inference as one TensorFlow function without variables."""
    call = tf.function(
        lambda images: tf.cast(model(images, training=False), tf.float32),
        autograph=False,
        input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)],
    )
    eagerly = tf.config.functions_run_eagerly()
    # Keras compiles grouped convolutions by XLA in functions of their own, which must dissolve.
    tf.config.run_functions_eagerly(True)
    try:
        traced = call.get_concrete_function()
    finally:
        tf.config.run_functions_eagerly(eagerly)
    return convert_variables_to_constants_v2(
        traced, lower_control_flow=False, aggressive_inlining=True
    )


def _sign_bit(graph: Any, node: Any, *_: Any) -> None:
    """Give the bits of a float that Keras's argmax reads: is a zero negative?"""
    number = node.input[0]
    inverse = _add(graph, node, "Reciprocal", number)
    negative = _add(graph, node, "Less", inverse, _constant(graph, np.float32(0)), boolean=True)
    bits = (_constant(graph, np.int32(value)) for value in (np.iinfo(np.int32).min, 0))
    _replace(graph, node, "Where", negative, *bits)


def _complementary_error(graph: Any, node: Any, *_: Any) -> None:
    """Write erfc(x), of which gelu is made, as 1 - erf(x)."""
    error = _add(graph, node, "Erf", node.input[0])
    _replace(graph, node, "Sub", _constant(graph, np.float32(1)), error)


def _exponential_minus_one(graph: Any, node: Any, *_: Any) -> None:
    """Write expm1(x), of which celu is made, as exp(x) - 1."""
    exponential = _add(graph, node, "Exp", node.input[0])
    _replace(graph, node, "Sub", exponential, _constant(graph, np.float32(1)))


ADDED = {"Bitcast": _sign_bit, "Erfc": _complementary_error, "Expm1": _exponential_minus_one}


def _constant(graph: Any, value: np.generic) -> str:
    from tf2onnx import utils

    name: str = graph.make_const(utils.make_name("constant"), np.asarray(value)).output[0]
    return name


def _add(graph: Any, node: Any, kind: str, *inputs: str, boolean: bool = False) -> str:
    """Add an operation of the shape of a node; return its output's name."""
    from onnx import TensorProto

    kept = graph.get_dtype(node.input[0])
    options = {"dtypes": [TensorProto.BOOL if boolean else kept]}
    shape = graph.get_shape(node.input[0])
    name: str = graph.make_node(kind, list(inputs), shapes=[shape], **options).output[0]
    return name


def _replace(graph: Any, node: Any, kind: str, *inputs: str) -> None:
    """Put an operation in a node's place."""
    output = node.output[0]
    shapes, dtypes = [graph.get_shape(output)], [graph.get_dtype(output)]
    graph.remove_node(node.name)
    graph.make_node(
        kind, list(inputs), outputs=[output], shapes=shapes, dtypes=dtypes, name=node.name
    )


def _put_in_order(graph: Any) -> None:
    """Order and name what is in an ONNX graph by its structure alone.

    tf2onnx numbers names through a process, takes some from memory addresses, and walks sets.
    """
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return  # a branch has names of its own
    constants = {constant.name: constant for constant in graph.initializer}
    nodes = list(_inputs_first(graph))
    names = {"": "", INPUT: INPUT, OUTPUT: OUTPUT}
    used = dict.fromkeys(name for node in nodes for name in node.input if name in constants)
    for index, name in enumerate(used):
        names[name] = constants[name].name = f"constant_{index}"
    for index, node in enumerate(nodes):
        node.name = f"{node.op_type}_{index}"
        for place, name in enumerate(node.output):
            node.output[place] = names.setdefault(name, f"{node.name}:{place}")
        node.input[:] = [names[name] for name in node.input]
    kept = [constants[name] for name in used]
    for field, items in (("node", nodes), ("initializer", kept), ("value_info", [])):
        graph.ClearField(field)
        getattr(graph, field).extend(items)


def _inputs_first(graph: Any) -> Iterator[Any]:
    """Yield the nodes that the output needs, each behind all that it needs itself."""
    makers = {name: index for index, node in enumerate(graph.node) for name in node.output}
    nodes, done = list(graph.node), set()
    stack = [makers[OUTPUT]]
    while stack:
        needed = (makers[name] for name in nodes[stack[-1]].input if name in makers)
        waiting = next((index for index in needed if index not in done), None)
        if waiting is not None:
            stack.append(waiting)
            continue
        index = stack.pop()
        done.add(index)
        yield nodes[index]


def _answers_alike(model: keras.Model, content: bytes) -> bool:
    """Return whether onnxruntime answers two images as the network does."""
    import onnxruntime

    shape = [size or ANY_SIDE for size in model.input_shape[1:]]
    images = np.random.default_rng(0).uniform(size=(2, *shape)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ONLY_FATAL
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    (found,) = session.run([OUTPUT], {INPUT: images})
    expected = np.asarray(model(images, training=False), np.float32)
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=1)
    return np.allclose(found, expected, rtol=0, atol=TOLERANCE * largest, equal_nan=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Turn off Python's logging, and what C++ writes to stderr."""
    disabled, nowhere = logging.root.manager.disable, logging.NullHandler()
    # Without any handler, a bare `logging.warning` would install one for good.
    logging.root.addHandler(nowhere)
    logging.disable()
    try:
        with stderr_off():
            yield
    finally:
        logging.disable(disabled)
        logging.root.removeHandler(nowhere)
