"""Decide on plain JSON whether a network's description is one that Keras may be given.

Keras looks classes and functions up by the names that a file gives, and calls about 770 of its
own functions with arguments of the file's choice even in safe mode. So nothing is handed to it
before this walk has found only layers, and the small objects that layers are made with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from badrepair.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

DEPTH = 40
NODES = 300_000
TEXT = 4096
NAME = 256


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


MODELS = frozenset({"Functional", "Model", "Sequential"})
OPERATIONS = _names(
    "Add Argmax Less Log Multiply NanToNum NotEqual Reshape Sort Subtract TrueDivide Where"
)
BLOCKS = frozenset({"LayerScale", "StochasticDepth"})
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
ACTIVATIONS = _names(
    """
    linear relu relu6 elu selu celu gelu glu silu swish mish leaky_relu tanh sigmoid exponential
    softmax softmax_v2 log_softmax softplus softsign sparsemax squareplus threshold log_sigmoid
    hard_sigmoid hard_silu hard_swish hard_tanh hard_shrink soft_shrink tanh_shrink
    sparse_plus sparse_sigmoid
    """
)
DTYPES = _names("float16 bfloat16 float32 float64 mixed_float16 mixed_bfloat16 uint8 int32 int64")
CODE = frozenset({"Lambda", "function", "__lambda__", "TFSMLayer", "TorchModuleWrapper"})
FOREIGN_OPERATIONS = frozenset({"TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceProperty"})

OPERATION_MODULE = "keras.src.ops.numpy"
BLOCK_MODULE = "keras.src.applications.convnext"

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
    _kind(BLOCKS, None, BLOCK_MODULE),
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


def check(config: Any, path: Path) -> None:
    """Refuse a network's description unless all in it is known to be harmless.

    Args:
        config: Parsed JSON (Any, since it is whatever the file holds).
        path: The file to name in errors.

    Raises:
        ModelError: CodeInModel, LayerNotAllowed, CustomObject, ActivationNotAllowed,
            UnsupportedTopology, BadName, ConfigInvalid or LimitExceeded.
    """
    _check_limits(config, path)
    _Walk(path).visit(config, key="", layer="the network")


def _check_limits(config: Any, path: Path) -> None:
    level, count = [config], 0
    for _ in range(DEPTH):
        count += len(level)
        if any(isinstance(value, str) and len(value) > TEXT for value in level):
            raise ModelError("LimitExceeded", path, f"a text is longer than {TEXT:,} characters")
        level = [child for value in level for child in _children(value)]
        if not level:
            return
        if count + len(level) > NODES:
            raise ModelError("LimitExceeded", path, f"the config has over {NODES:,} entries")
    raise ModelError("LimitExceeded", path, f"the config is nested more than {DEPTH} deep")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


@dataclass(frozen=True)
class _Walk:
    path: Path

    def visit(self, value: Any, key: str, layer: str) -> None:
        if isinstance(value, list):
            for item in value:
                self.visit(item, key, layer)
        elif isinstance(value, dict):
            layer = self._enter(value, key, layer)
            for name, item in value.items():
                inside = "inbound_nodes" if key == name == "inbound_nodes" else name
                self.visit(item, key if key == "inbound_nodes" else inside, layer)
        elif isinstance(value, str):
            self._check_text(value, key, layer)

    def _enter(self, entry: dict[str, Any], key: str, layer: str) -> str:
        """Check a dict that may name a class; return the layer to name from here on."""
        if "class_name" not in entry:
            return layer
        name = entry["class_name"]
        kinds = next((SMALL[end] for end in SMALL if key.endswith(end)), NETWORK)
        if kinds is NETWORK:
            layer = self._label(entry, layer)
        if not isinstance(name, str):
            raise self._error("ConfigInvalid", layer, "class_name is no text")
        if name in CODE:
            raise self._error("CodeInModel", layer, f"it is a {name}, which is code", CODE_HINT)
        if name in FOREIGN_OPERATIONS:
            problem = f"it is a {name}, a bare TensorFlow operation, which Keras 3 cannot rebuild"
            raise self._error("UnsupportedTopology", layer, problem)
        self._check_class(entry, name, kinds, layer)
        return layer

    def _check_class(
        self, entry: dict[str, Any], name: str, kinds: tuple[Kind, ...], layer: str
    ) -> None:
        module = entry.get("module")
        homes = [kind for kind in kinds if name in kind.classes]
        if not homes:
            raise self._error("LayerNotAllowed", layer, f"class {name} is unknown", LAYER_HINT)
        if not any(module in kind.modules for kind in homes):
            problem = f"class {name} should not come from {module}"
            raise self._error("LayerNotAllowed", layer, problem, LAYER_HINT)
        if entry.get("registered_name") not in (None, name):
            problem = f"class {name} is registered as {entry['registered_name']}"
            raise self._error("CustomObject", layer, problem, LAYER_HINT)

    def _check_text(self, value: str, key: str, layer: str) -> None:
        if key == "name" and not _is_good_name(value):
            raise self._error("BadName", layer, f"{ascii(value)[:80]} cannot name a layer")
        if key == "data_format" and value == "channels_first":
            problem = "its images are channels_first (C, H, W); expected channels_last (H, W, C)"
            raise self._error("UnsupportedTopology", layer, problem)
        known = next((STRINGS[end] for end in STRINGS if key.endswith(end)), None)
        if known is not None and value not in known:
            code = "ActivationNotAllowed" if known is ACTIVATIONS else "LayerNotAllowed"
            raise self._error(code, layer, f"{key} {ascii(value)[:80]} is unknown", LAYER_HINT)

    def _label(self, entry: dict[str, Any], layer: str) -> str:
        config = entry.get("config")
        name = entry.get("name") or (config.get("name") if isinstance(config, dict) else None)
        return f"layer {ascii(name)[1:-1][:80]}" if isinstance(name, str) else layer

    def _error(self, code: str, layer: str, problem: str, hint: str = "") -> ModelError:
        # Class and module names come from the file: they must not steer a terminal.
        shown = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in problem)
        return ModelError(code, self.path, f"{layer}: {shown[:300]}", hint)


def _is_good_name(name: str) -> bool:
    return 0 < len(name) <= NAME and name.isprintable() and ".." not in name
