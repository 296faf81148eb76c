"""Streams of random steps: what step t of a stream draws is a function of (name, seed, t)."""

import zlib

import tensorflow as tf


def stream_seed(name: str, seed: int, step: "int | tf.Tensor") -> tf.Tensor:
    """Return the seed of one step of a stream of random numbers; a function of its arguments alone.

    Args:
      name: of the stream, such as "train/episodes"; different names are independent.
      seed: integer.
      step: integer, or an integer scalar tensor.

    Returns:
      int32 [2], for stateless random ops.
    """
    base = tf.constant([seed & 0x7FFFFFFF, zlib.crc32(name.encode()) & 0x7FFFFFFF], tf.int32)
    return tf.random.fold_in(base, tf.cast(step, tf.int32), alg="philox")


def unrewritten(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Have a dataset run as it is written.

    Rewriting a pipeline copies the embeddings that it holds, and crashes where they do not fit.
    """
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    return dataset.with_options(options)
