"""What a linear layer makes at many levels of pruning, for little more than the price of one.

A convolution or dense layer is a sum over its input channels. So its results at neighbouring
levels differ by what the channels between them contribute: these contributions are computed once,
and a product with a small matrix of zeros and ones adds them up for every level.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

# Keras and TensorFlow ship no types, so layers and tensors are Any throughout this file.


def is_incremental(call: Any, inputs: Any) -> bool:
    """Return whether `at_levels` knows a call.

    Args:
        call: Of a flat network.
        inputs: The tensor whose channels are pruned; the call reads it, or reads it flattened.
    """
    layer, rank = call.operation, len(inputs.shape)
    if type(layer) not in {keras.layers.Dense, keras.layers.Conv2D}:
        return False
    if not is_plain(layer) or inputs.dtype != "float32":
        return False
    if type(layer) is keras.layers.Dense:
        return rank == 2 or len(call.input_tensors[0].shape) == 2
    whole = layer.data_format == "channels_last" and layer.groups == 1
    return whole and call.input_tensors[0] is inputs


def is_plain(layer: Any) -> bool:
    """Return whether a layer computes as its weights are stored: in single precision."""
    whole_numbers = getattr(layer, "quantization_mode", None)
    return not whole_numbers and bool(layer.compute_dtype == layer.variable_dtype == "float32")


def at_levels(layer: Any, alive: Any, silent: Any, masks: Any) -> Any:
    """Return what a layer makes of images at every level of pruning.

    Args:
        layer: A Conv2D, or a Dense layer that reads the images' values in one row.
        alive: Values with all channels alive, shape (B, …, C).
        silent: Values with all channels silent, of the same shape.
        masks: Shape (L, C): 1 where a channel is alive at a level, else 0.

    Returns:
        Shape (L * B, …), level by level.
    """
    lowest, highest = tf.reduce_min(masks, axis=0), tf.reduce_max(masks, axis=0)
    changing = tf.where(lowest < highest)[:, 0]
    steps = tf.gather(masks, changing, axis=1)
    base = linear(layer, tf.where(lowest > 0, alive, silent))
    difference = tf.gather(alive - silent, changing, axis=-1)
    parts = _contributions(layer, difference, changing, tf.shape(alive))
    length = tf.size(base)
    moved = tf.matmul(steps, tf.reshape(parts, (tf.size(changing), length)))
    sums = tf.reshape(base, (1, length)) + moved
    shape = tf.concat([[tf.shape(masks)[0] * tf.shape(alive)[0]], tf.shape(base)[1:]], axis=0)
    return layer.activation(tf.ensure_shape(tf.reshape(sums, shape), (None, *base.shape[1:])))


def linear(layer: Any, values: Any) -> Any:
    """Return a layer's results in front of its activation function; see `at_levels`."""
    if isinstance(layer, keras.layers.Dense):
        results = tf.matmul(tf.reshape(values, (tf.shape(values)[0], -1)), layer.kernel)
    else:
        results = layer.convolution_op(values, layer.kernel)
    return results + layer.bias if layer.use_bias else results


def _contributions(layer: Any, values: Any, channels: Any, shape: Any) -> Any:
    """Return what each channel adds to the layer's results, shape (n, B * results).

    Args:
        layer: As in `at_levels`.
        values: Of these channels alone, shape (B, …, n).
        channels: Their numbers in the layer's input, shape (n,).
        shape: Of the whole input, (B, …, C).
    """
    if isinstance(layer, keras.layers.Dense):
        places = tf.reduce_prod(shape[1:-1])
        kernel = tf.reshape(tf.convert_to_tensor(layer.kernel), (places, shape[-1], layer.units))
        patches = tf.reshape(values, (shape[0], places, tf.size(channels)))
        patches = tf.transpose(patches, (2, 0, 1))
    else:
        kernel = tf.reshape(
            tf.convert_to_tensor(layer.kernel), (-1, layer.kernel.shape[2], layer.filters)
        )
        patches = tf.image.extract_patches(
            values,
            (1, *layer.kernel_size, 1),
            (1, *layer.strides, 1),
            (1, *layer.dilation_rate, 1),
            layer.padding.upper(),
        )
        patches = tf.reshape(patches, (-1, tf.shape(kernel)[0], tf.size(channels)))
        patches = tf.transpose(patches, (2, 0, 1))
    return tf.matmul(patches, tf.transpose(tf.gather(kernel, channels, axis=1), (1, 0, 2)))
