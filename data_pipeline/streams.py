"""Streams of random steps: what step t of a stream draws is a function of (name, seed, t)."""

import zlib

import tensorflow as tf

from data_pipeline.seeds import check_seed


def stream_seed(name: str, seed: int, step: "int | tf.Tensor") -> tf.Tensor:
    """Return the seed of one step of a stream of random numbers; a function of its arguments alone.

    Args:
      name: of the stream, such as "train/episodes"; different names are independent.
      seed: integer from 0 to 2^32 - 1.
      step: integer, or an integer scalar tensor.

    Returns:
      int32 [2], for stateless random ops.

    Raises:
      ValueError: one line, if the seed is another.
    """
    seed = check_seed(seed)
    signed = seed if seed < 2**31 else seed - 2**32  # the same 32 bits, as TensorFlow has them
    base = tf.constant([signed, zlib.crc32(name.encode()) & 0x7FFFFFFF], tf.int32)
    return tf.random.fold_in(base, tf.cast(step, tf.int32), alg="philox")


def unrewritten(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Have a dataset run as it is written.

    Rewriting a pipeline copies the embeddings that it holds, and crashes where they do not fit.
    """
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    return dataset.with_options(options)
