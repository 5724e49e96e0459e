"""Decide on plain JSON whether a network's description is one that Keras may be given.

Keras looks classes and functions up by the names that a file gives, and calls about 770 of its
own functions with arguments of the file's choice even in safe mode. So nothing is handed to it
before this walk has found only layers, and the small objects that layers are made with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from badrepair.confinement.finding import Finding
from badrepair.models.gate.sizes import size_faults
from badrepair.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = 256
MOST_PATH = 200


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


MODELS = frozenset({"Functional", "Model", "Sequential"})
OPERATIONS = _names(
    "Add Argmax Less Log Multiply NanToNum NotEqual Reshape Sort Subtract TrueDivide Where"
)
# Layers that networks of Keras's own define for themselves, and where.
BLOCKS = {
    "CustomScaleLayer": "keras.src.applications.inception_resnet_v2",
    "LayerScale": "keras.src.applications.convnext",
    "StochasticDepth": "keras.src.applications.convnext",
}
LAYERS = frozenset(
    f"{family}{rank}D"
    for family in (
        *("Conv", "SeparableConv", "DepthwiseConv", "MaxPooling", "AveragePooling"),
        *("GlobalMaxPooling", "GlobalAveragePooling", "ZeroPadding", "Cropping", "UpSampling"),
        *("AdaptiveMaxPooling", "AdaptiveAveragePooling", "SpatialDropout"),
    )
    for rank in (1, 2, 3)
) - {"DepthwiseConv3D", "SeparableConv3D"} | _names(
    """
    InputLayer Dense EinsumDense Flatten Reshape Permute RepeatVector TimeDistributed Identity
    Conv1DTranspose Conv2DTranspose Conv3DTranspose
    Activation ReLU LeakyReLU PReLU ELU Softmax
    BatchNormalization BatchNormalizationV1 BatchNormalizationV2 LayerNormalization
    GroupNormalization RMSNormalization UnitNormalization SpectralNormalization
    Add Subtract Multiply Average Maximum Minimum Concatenate Dot
    Dropout AlphaDropout GaussianDropout GaussianNoise ActivityRegularization
    Attention AdditiveAttention MultiHeadAttention Embedding
    Rescaling Resizing CenterCrop Normalization
    RandomFlip RandomRotation RandomZoom RandomTranslation RandomContrast RandomBrightness
    RandomCrop
    """
)
INITIALIZERS = _names(
    """
    Zeros Ones Constant Identity IdentityInitializer Orthogonal OrthogonalInitializer
    RandomNormal RandomUniform TruncatedNormal VarianceScaling
    GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform
    """
)
REGULARIZERS = frozenset({"L1", "L1L2", "L2", "OrthogonalRegularizer"})
CONSTRAINTS = frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"})
POLICIES = frozenset({"DTypePolicy", "FloatDTypePolicy", "Policy", "PolicyV1"})
# All of Keras but two that fail once they are called: glu halves the channels that a layer
# promises, and threshold needs two numbers that a name cannot give.
ACTIVATIONS = _names(
    """
    linear relu relu6 elu selu celu gelu silu swish mish leaky_relu tanh sigmoid exponential
    softmax softmax_v2 log_softmax softplus softsign sparsemax squareplus log_sigmoid
    hard_sigmoid hard_silu hard_swish hard_tanh hard_shrink soft_shrink tanh_shrink
    sparse_plus sparse_sigmoid
    """
)
DTYPES = _names("float16 bfloat16 float32 float64 mixed_float16 mixed_bfloat16 uint8 int32 int64")
CODE = frozenset({"Lambda", "function", "__lambda__", "TFSMLayer", "TorchModuleWrapper"})
FOREIGN_OPERATIONS = frozenset({"TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceProperty"})

OPERATION_MODULE = "keras.src.ops.numpy"

CODE_HINT = "badrepair never runs code from a model file; rebuild the network without it"
LAYER_HINT = "only Keras's own layers without code are loaded"


@dataclass(frozen=True)
class Kind:
    """A family of classes that may stand under certain keys.

    Args:
        classes: Their names.
        modules: Where a file may say that they come from; None where it does not say.
    """

    classes: frozenset[str]
    modules: frozenset[str | None]


def _kind(classes: frozenset[str], *modules: str | None) -> Kind:
    return Kind(classes, frozenset(modules))


NETWORK = (
    _kind(LAYERS, None, "keras.layers"),
    _kind(
        MODELS,
        *(None, "keras", "keras.models", "keras.src.models.functional"),
        *("keras.src.models.sequential", "keras.src.models.model", "keras.src.engine.functional"),
    ),
    _kind(OPERATIONS, None, OPERATION_MODULE),
    *(_kind(frozenset({name}), None, module) for name, module in BLOCKS.items()),
)
# By the ending of the key; what stands anywhere else must be part of the network itself.
SMALL = {
    "initializer": (_kind(INITIALIZERS, None, "keras.initializers"),),
    "regularizer": (_kind(REGULARIZERS, None, "keras.regularizers"),),
    "constraint": (_kind(CONSTRAINTS, None, "keras.constraints"),),
    "dtype": (_kind(POLICIES, None, "keras", "keras.dtype_policies", "keras.mixed_precision"),),
    "inbound_nodes": (_kind(frozenset({"__keras_tensor__"}), None),),
}
# The strings that Keras looks up as functions or types.
STRINGS = {"activation": ACTIVATIONS, "dtype": DTYPES}


def walk(config: Any) -> Iterator[Finding]:
    """Yield all in a network's description that is not known to be harmless.

    Args:
        config: Parsed JSON (Any, since it is whatever the file holds).
    """
    yield from size_faults(config)
    if not isinstance(config, list) and (
        not isinstance(config, dict) or "class_name" not in config
    ):
        yield Finding("ConfigInvalid", "the network", "it describes no Sequential or Functional")
    yield from _visit(config, _Place("", "", "the network"))


@dataclass(frozen=True)
class _Place:
    """Where the walk is.

    Args:
        path: As one would write it in Python.
        key: The key that the value stands under; inside `inbound_nodes` that one.
        layer: The layer around it, for people.
    """

    path: str
    key: str
    layer: str

    def item(self, index: int) -> _Place:
        return replace(self, path=f"{self.path}[{index}]")

    def entry(self, name: str) -> _Place:
        key = self.key if self.key == "inbound_nodes" else name
        shown = name[:80] if name.isidentifier() else f"[{ascii(name)[:80]}]"
        return replace(self, path=f"{self.path}.{shown}".lstrip("."), key=key)

    def finding(self, code: str, problem: str, hint: str = "") -> Finding:
        return Finding(code, self.layer, printable(problem)[:300], hint, self.path[-MOST_PATH:])


def _visit(value: Any, place: _Place) -> Iterator[Finding]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _visit(item, place.item(index))
    elif isinstance(value, dict):
        place = replace(place, layer=_label(value, place))
        yield from _class_faults(value, place)
        for name, item in value.items():
            yield from _visit(item, place.entry(name))
    elif isinstance(value, str):
        yield from _text_faults(value, place)


def _class_faults(entry: dict[str, Any], place: _Place) -> Iterator[Finding]:
    """Yield what is wrong with the class that an entry names, if it names one."""
    if "class_name" not in entry:
        return
    name = entry["class_name"]
    if not isinstance(name, str):
        yield place.finding("ConfigInvalid", "class_name is no text")
    elif name in CODE:
        yield place.finding("CodeInModel", f"it is a {name}, which is code", CODE_HINT)
    elif name in FOREIGN_OPERATIONS:
        problem = f"it is a {name}, a bare TensorFlow operation, which Keras 3 cannot rebuild"
        yield place.finding("UnsupportedTopology", problem)
    else:
        yield from _home_faults(entry, name, place)


def _home_faults(entry: dict[str, Any], name: str, place: _Place) -> Iterator[Finding]:
    module, registered = entry.get("module"), entry.get("registered_name")
    homes = [kind for kind in _kinds(place) if name in kind.classes]
    if not homes:
        found = f"class {name} of {module}" if module else f"class {name}"
        yield place.finding("LayerNotAllowed", f"{found} is not allowed here", LAYER_HINT)
    elif not any(module in kind.modules for kind in homes if _hashable(module)):
        problem = f"class {name} should not come from {module}"
        yield place.finding("LayerNotAllowed", problem, LAYER_HINT)
    if registered not in (None, name):
        problem = f"class {name} is registered as {registered}"
        yield place.finding("CustomObject", problem, LAYER_HINT)


def is_known(entry: dict[str, Any], key: str) -> bool:
    """Tell whether a class needs no trust under a key; what it is made with still may."""
    return not [*_class_faults(entry, _Place("", key, ""))]


def _kinds(place: _Place) -> tuple[Kind, ...]:
    return next((SMALL[end] for end in SMALL if place.key.endswith(end)), NETWORK)


def _text_faults(value: str, place: _Place) -> Iterator[Finding]:
    key = place.key
    if key == "name" and not _is_good_name(value):
        yield place.finding("BadName", f"{ascii(value)[:80]} cannot name a layer")
    if key == "data_format" and value == "channels_first":
        problem = "its images are channels_first (C, H, W); expected channels_last (H, W, C)"
        yield place.finding("UnsupportedTopology", problem)
    known = next((STRINGS[end] for end in STRINGS if key.endswith(end)), None)
    if known is not None and value not in known:
        code = "ActivationNotAllowed" if known is ACTIVATIONS else "LayerNotAllowed"
        yield place.finding(code, f"{key} {ascii(value)[:80]} is unknown", LAYER_HINT)


def _label(entry: dict[str, Any], place: _Place) -> str:
    """Return what to call an entry: the layer that it is, or the one around it."""
    if "class_name" not in entry or _kinds(place) is not NETWORK:
        return place.layer
    config = entry.get("config")
    name = entry.get("name") or (config.get("name") if isinstance(config, dict) else None)
    return f"layer {ascii(name)[1:-1][:80]}" if isinstance(name, str) else place.layer


def _hashable(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_good_name(name: str) -> bool:
    return 0 < len(name) <= NAME and name.isprintable() and ".." not in name
