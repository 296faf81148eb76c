"""The random numbers of one training step, as an explicit argument of it."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Noise(NamedTuple):
    """Everything random in a training step but the episodes.

    A mask is 1 where dropout keeps a unit. U and F are the lengths of the latent and the
    fine-tuning loop; the support is evaluated once per step of either, so a loop of U + F
    steps needs U + F masks, and the published code's last two draws that feed nothing are
    left out.
    """

    encoder_keep: tf.Tensor  # [tasks, way, shot, dim], inputs of the encoder
    latent: tf.Tensor  # [tasks, way, shot, num_latents], standard normal, of the latents
    decoder: tf.Tensor  # [U + 1, tasks, way, shot, dim], standard normal, of each decode
    support_keep: tf.Tensor  # [U + F, tasks, way, shot, dim], support of each inner step
    query_keep: tf.Tensor  # [tasks, way, queries, dim]


def dropout(inputs, keep, rate):
    """Zero the units where `keep` is 0 and scale the others by 1 / (1 - rate)."""
    return inputs * (tf.cast(keep, inputs.dtype) / (1.0 - rate))


@tf.function(jit_compile=True)
def standard_normal(shape, seed):
    """Draw standard normal numbers, float32, by inverting their distribution function.

    XLA turns the bits of its counter-based generator into normals with vector instructions,
    several times faster than the Box-Muller loop of the plain op on a CPU.

    Args:
      shape: static shape.
      seed: int32 [2].
    """
    bits = _bits(shape, seed)
    uniform = (tf.cast(tf.bitwise.right_shift(bits, 8), tf.float32) + 0.5) * 2.0**-23
    return np.float32(np.sqrt(2.0)) * tf.math.erfinv(uniform)


@tf.function(jit_compile=True)
def keep_mask(shape, rate, seed):
    """Draw a dropout mask, bool: False with probability `rate`, to the nearest 1/65536.

    Args:
      shape: static shape.
      rate: python float in [0, 1).
      seed: int32 [2].
    """
    size = int(np.prod(shape))
    bits = tf.bitcast(_bits([(size + 1) // 2], seed), tf.uint16)
    dropped = round(rate * 2**16)
    return tf.reshape(tf.reshape(bits, [-1])[:size] >= dropped, shape)


def _bits(shape, seed):
    """Uniform int32 over its whole range; threefry is the fast generator under XLA."""
    return tf.random.stateless_uniform(shape, seed, None, None, tf.int32, alg="threefry")
