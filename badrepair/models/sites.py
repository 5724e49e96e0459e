"""Find where channels can be pruned in a network, and what must fall silent with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import keras

from badrepair.errors import ModelError, OptionError
from badrepair.models.channelwise import (
    apart,
    chain_behind,
    is_depthwise,
    is_function,
    is_nonlinear,
    keeps_apart,
    keeps_zero,
    merges,
    only_consumer,
    speaks_for_silent,
)
from badrepair.models.surgery import nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

# Keras ships no types, so layers, calls and tensors are Any throughout this file.

AUTO, ALL = "auto", "all"
OTHER_WAY = "badrepair strip can guard it instead"
CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Conv2DTranspose,
)
# They shift a channel in a way that depends on others: behind them a silent one would speak. A
# BatchNormalization does so where it counts along another axis.
MIXING_NORMS = (
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.BatchNormalization,
)
# Between the layer that makes the class scores and the output.
BEHIND_SCORES = (
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Softmax,
    keras.layers.Activation,
)
SCORE_OPERATIONS = {"logsoftmax", "reshape", "softmax"}


@dataclass(frozen=True)
class Site:
    """A layer whose output channels can be pruned, and what belongs to it.

    Args:
        layer: The convolution or dense layer that makes the channels.
        followers: The normalisations and depthwise convolutions behind it that would speak for a
            silent channel, and are silenced with it.
        tap: Tensor by which channels are ranked: right behind the first activation.
        silent: First tensor in which a silent channel is zero: behind the last follower.
        cut: Last tensor in which it is zero and nothing else was mixed in.
    """

    layer: Any
    followers: tuple[Any, ...]
    tap: Any
    silent: Any
    cut: Any

    @property
    def channels(self) -> int:
        """Return the number of channels that the layer makes."""
        return int(self.cut.shape[-1])

    @property
    def norms(self) -> tuple[Any, ...]:
        """Return the normalisations of the layer's own channels, in front of what is depthwise."""
        return tuple(takewhile(lambda layer: not is_depthwise(layer), self.followers))


@dataclass(frozen=True)
class Sites:
    """Where a network is pruned.

    Args:
        found: In the order in which they run.
        skipped: Why layers were left out where all were asked for, by name.
    """

    found: tuple[Site, ...]
    skipped: dict[str, str]


def find_sites(flat: keras.Model, names: Sequence[str] = (AUTO,)) -> Sites:
    """Return where to prune in a flat network.

    Args:
        flat: From `surgery.flatten`.
        names: Of convolutions and hidden dense layers; or of activation or pooling layers right
            behind one, by whose output its channels are then ranked. "auto": the last
            convolution, or the last hidden dense layer without any. "all": all convolutions
            that can be pruned.

    Raises:
        ModelError: There is no such layer, or its channels cannot be silenced.
        OptionError: A layer is named twice.
    """
    _require_channels_last(flat)
    if ALL in names:
        if len(names) > 1:
            problem = f"expected {ALL} alone, found it beside other layers"
            raise OptionError("OptionInvalid", "--layer", problem)
        return _all_sites(flat)
    found = [find_site(flat, name) for name in names]
    layers = [site.layer for site in found]
    for name, layer in zip(names, layers, strict=True):
        if layers.count(layer) > 1:
            raise OptionError(
                "LayerTwice", "--layer", f"expected different layers, found {name!r} twice"
            )
    order = [call.operation for call in nodes(flat)]
    return Sites(tuple(sorted(found, key=lambda site: order.index(site.layer))), {})


def find_site(flat: keras.Model, name: str = AUTO) -> Site:
    """Return where to prune one layer; see `find_sites`."""
    calls = list(nodes(flat))
    makers = channel_makers(flat)
    if name == AUTO:
        return _site(_preferred(makers)[-1], calls)
    for maker in reversed(makers):
        if maker.operation.name == name:
            return _site(maker, calls)
        for call in chain_behind(maker.outputs[0], calls):
            if call.operation.name == name:
                return replace(_site(maker, calls), tap=call.outputs[0])
    raise ModelError(
        "LayerNotFound",
        name or "--layer",
        "expected a layer whose channels can be pruned, found none of that name",
        f"give --layer one of: {', '.join(call.operation.name for call in makers)}",
    )


def _all_sites(flat: keras.Model) -> Sites:
    calls = list(nodes(flat))
    found, skipped = [], {}
    for maker in _preferred(channel_makers(flat)):
        try:
            found.append(_site(maker, calls))
        except ModelError as error:
            skipped[maker.operation.name] = error.problem
    if not found:
        reasons = "; ".join(f"{name}: {why}" for name, why in skipped.items())
        problem = f"no layer can be pruned: {reasons}"
        raise ModelError("NothingToPrune", flat.name, problem, OTHER_WAY)
    return Sites(tuple(found), skipped)


def channel_makers(flat: keras.Model) -> list[Any]:
    """Return the calls that make channels in a flat network, in the order in which they run.

    Raises:
        ModelError: NothingToPrune, if there is none.
    """
    calls = list(nodes(flat))
    makers = [call for call in calls if _makes_channels(call, calls, flat)]
    if not makers:
        problem = "expected a convolution or a hidden Dense layer, found none"
        raise ModelError("NothingToPrune", flat.name, problem, OTHER_WAY)
    return makers


def _preferred(makers: list[Any]) -> list[Any]:
    """Return the convolutions, or all where there is none."""
    return [call for call in makers if isinstance(call.operation, CONVOLUTIONS)] or makers


def _makes_channels(call: Any, calls: list[Any], flat: keras.Model) -> bool:
    layer = call.operation
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return False
    if not isinstance(layer, (*CONVOLUTIONS, keras.layers.Dense)):
        return False
    return not _scores_classes(call, calls, flat)


def _scores_classes(call: Any, calls: list[Any], flat: keras.Model) -> bool:
    """Return whether nothing that mixes channels stands between a layer and the output."""
    tensor = call.outputs[0]
    while tensor is not flat.outputs[0]:
        follower = only_consumer(tensor, calls)
        if follower is None or not _keeps_classes(follower):
            return False
        tensor = follower.outputs[0]
    return True


def _keeps_classes(call: Any) -> bool:
    operation = call.operation
    scores = isinstance(operation, BEHIND_SCORES) or is_function(operation, SCORE_OPERATIONS)
    return scores or keeps_apart(call) or merges(operation)


def _site(maker: Any, calls: list[Any]) -> Site:
    layer = maker.operation
    _require_single(layer, calls)
    _require_zero_preserving(maker)
    followers: list[Any] = []
    silent = cut = maker.outputs[0]
    chain = list(chain_behind(cut, calls))
    for call in chain:
        _require_zero_preserving(call)
        cut = call.outputs[0]
        if speaks_for_silent(call):
            _require_single(call.operation, calls)
            followers.append(call.operation)
            silent = cut
    follower = only_consumer(cut, calls)
    if follower is not None and isinstance(follower.operation, MIXING_NORMS):
        found = f"{type(follower.operation).__name__}, behind which a silent channel would speak"
        raise _unsupported(layer, "no normalisation over channels", found)
    return Site(layer, tuple(followers), _tap(maker, chain, calls), silent, cut)


def _tap(maker: Any, chain: Sequence[Any], calls: list[Any]) -> Any:
    """Return what leaves the first activation, or the last linear layer where there is none.

    In a residual network the first activation stands behind the addition. A depthwise convolution
    makes something else of the channel: the search ends in front of it.
    """
    linear = maker.outputs[0]
    if is_nonlinear(maker.operation):
        return linear
    for call in apart(linear, calls):
        if is_depthwise(call.operation):
            break
        if is_nonlinear(call.operation):
            return call.outputs[0]
        if isinstance(call.operation, keras.layers.BatchNormalization) and call in chain:
            linear = call.outputs[0]
    return linear


def _require_single(layer: Any, calls: list[Any]) -> None:
    if sum(call.operation is layer for call in calls) > 1:
        raise _unsupported(layer, "a layer that runs once", "one that is shared")


def _require_zero_preserving(call: Any) -> None:
    """Refuse activations such as sigmoid, behind which a silent channel would still speak."""
    if not keeps_zero(call):
        raise _unsupported(
            call.operation, "an activation that keeps zero at zero", "one that does not"
        )


def _require_channels_last(flat: keras.Model) -> None:
    for layer in flat.layers:
        if getattr(layer, "data_format", None) == "channels_first":
            raise _unsupported(layer, "channels on the last axis", "channels_first")


def _unsupported(layer: Any, expected: str, found: str) -> ModelError:
    return ModelError(
        "UnsupportedTopology",
        layer.name,
        f"expected {expected}, found {found}",
        "prune another layer with --layer",
    )
