"""Prune the channels of one layer, level by level, without running the layers before it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from badrepair.models import inference, surgery
from badrepair.models.sites import find_site
from badrepair.progress import track
from badrepair.views import batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from badrepair.models.surgery import Mask
    from badrepair.types import Dataset, Labels
    from badrepair.views import Array, Images

# Activations before the pruned layer that are held at a time; each run of the levels costs little.
CACHED_BYTES = 64 * 2**20


class ChannelPruner:
    """Measures and applies the pruning of one layer's channels.

    Args:
        model: Stays untouched; the pruner works on a copy.
        layer: Name of the layer to prune; the last convolution if None.
        batch_size: Images a call.
    """

    def __init__(
        self, model: keras.Model, layer: str | None = None, *, batch_size: int = inference.BATCH
    ) -> None:
        self._model = surgery.copy_model(model)
        self._batch_size = batch_size
        self._flat = surgery.flatten(self._model)
        self.site = find_site(self._flat, layer)
        self._suffix_calls = _dependent_calls(self._flat, self.site.cut)
        self._frontier = _frontier(self._suffix_calls, self.site.cut)

    def mean_map(self, images: Images) -> NDArray[np.float32]:
        """Return the mean activation of every channel at every place, shape (C, h, w).

        A dense layer's channels have one place each.
        """
        tap = keras.Model(self._flat.inputs, self.site.tap)
        total = np.zeros((*(size or 1 for size in self.site.tap.shape[1:]),), np.float64)
        call = tf.function(
            lambda batch: tf.reduce_sum(tf.cast(tap(batch, training=False), tf.float64), axis=0),
            autograph=False,
            reduce_retracing=True,
        )
        steps = -(-len(images) // self._batch_size)
        for batch in track(batches(images, self._batch_size), "activations", steps):
            total = total + call(np.asarray(batch, np.float32)).numpy()
        mean = (total / len(images)).astype(np.float32)
        return np.moveaxis(mean.reshape(*mean.shape[:-1] or (1, 1), mean.shape[-1]), -1, 0)

    def idlest_first(self, images: Images) -> Labels:
        """Return the channels in increasing order of their mean activation on the images."""
        return np.argsort(self.mean_map(images).mean(axis=(1, 2)), kind="stable")

    def sweep(self, order: Labels, dataset: Dataset) -> NDArray[np.float64]:
        """Return the share of answers that equal the labels after pruning 0, 1, …, C channels.

        Args:
            order: All C channels in the order in which they go.
            dataset: Labelled images; with an attacker's targets as labels, the share is the
                attack success rate.

        Returns:
            Shape (C + 1,).
        """
        prefix, suffix = self._compiled_prefix(), self._compiled_suffix()
        right = np.zeros(len(order) + 1, dtype=np.int64)
        size = self._rows_at_once()
        chunks = range(0, len(dataset), size)
        for start in track(chunks, "pruning levels", len(chunks)):
            rows = slice(start, start + size)
            cached = self._run_prefix(prefix, dataset.images[rows])
            labels = dataset.labels[rows]
            for level in range(len(right)):
                mask = np.ones(self.site.channels, np.float32)
                mask[order[:level]] = 0
                right[level] += np.sum(self._answers(suffix, mask, cached) == labels)
        return right / len(dataset)

    def apply(self, channels: Sequence[int] | Labels) -> tuple[keras.Model, tuple[Mask, ...]]:
        """Return a copy of the network with the channels silenced, and the masks that hold them."""
        pruned = surgery.copy_model(self._model)
        twins = dict(zip(_layers(self._model), _layers(pruned), strict=True))
        norms = [twins[norm] for norm in self.site.norms]
        return pruned, surgery.silence(twins[self.site.layer], norms, channels)

    def _rows_at_once(self) -> int:
        """Return for how many images the prefix's outputs are held in memory at a time."""
        tensors = [self.site.cut, *self._frontier]
        floats = sum(int(np.prod([size or 1 for size in t.shape[1:]])) for t in tensors)
        batches_held = max(1, CACHED_BYTES // (4 * floats * self._batch_size))
        return batches_held * self._batch_size

    def _compiled_prefix(self) -> Any:
        prefix = keras.Model(self._flat.inputs, [self.site.cut, *self._frontier])
        return tf.function(
            lambda batch: keras.tree.flatten(prefix(batch, training=False)),
            autograph=False,
            reduce_retracing=True,
        )

    def _run_prefix(self, prefix: Any, images: Array) -> list[Array]:
        """Return all that the suffix needs and that pruning does not change, an array a tensor."""
        parts = [prefix(np.asarray(part, np.float32)) for part in batches(images, self._batch_size)]
        return [
            np.concatenate([tensor.numpy() for tensor in of]) for of in zip(*parts, strict=True)
        ]

    def _compiled_suffix(self) -> Any:
        tensors = [self.site.cut, *self._frontier]

        def suffix(mask: Any, *values: Any) -> Any:
            known = {id(t): v for t, v in zip(tensors, values, strict=True)}
            known[id(self.site.cut)] = values[0] * mask
            outputs = _replay(self._suffix_calls, known, self._flat.outputs[0])
            return tf.argmax(outputs, axis=-1)

        return tf.function(suffix, autograph=False, reduce_retracing=True)

    def _answers(self, suffix: Any, mask: Array, cached: list[Array]) -> Labels:
        size = self._batch_size
        parts = [
            suffix(mask, *(store[start : start + size] for store in cached)).numpy()
            for start in range(0, len(cached[0]), size)
        ]
        return np.concatenate(parts)


def _layers(model: keras.Model) -> list[Any]:
    """Return all layers, those of nested models too, in an order that copies share."""
    return list(model._flatten_layers(include_self=False))


def _dependent_calls(flat: keras.Model, cut: Any) -> list[Any]:
    """Return the calls that depend on a tensor, in the order in which they run."""
    dependent = {id(cut)}
    calls = []
    for node in surgery.nodes(flat):
        if any(id(tensor) in dependent for tensor in node.input_tensors):
            calls.append(node)
            dependent |= {id(tensor) for tensor in node.outputs}
    return calls


def _frontier(calls: list[Any], cut: Any) -> list[Any]:
    """Return the tensors that the calls need besides the cut and each other's outputs."""
    made = {id(cut)} | {id(tensor) for node in calls for tensor in node.outputs}
    needed = {id(t): t for node in calls for t in node.input_tensors if id(t) not in made}
    return list(needed.values())


def _replay(calls: list[Any], known: dict[int, Any], wanted: Any) -> Any:
    """Run the calls on new values, in inference mode, and return the wanted tensor's."""
    for node in calls:
        arguments, keywords = node.arguments.fill_in(known)
        if getattr(node.operation, "_call_has_training_arg", False):
            keywords = {**keywords, "training": False}
        outputs = keras.tree.flatten(node.operation(*arguments, **keywords))
        known |= {id(t): value for t, value in zip(node.outputs, outputs, strict=True)}
    return known[id(wanted)]
