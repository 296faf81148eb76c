"""The random numbers of one training step, as an explicit argument of it."""

import math
from typing import NamedTuple

import tensorflow as tf


class Noise(NamedTuple):
    """Everything random in a training step but the episodes.

    A mask is 1 where dropout keeps a unit; None drops nothing. U and F are the lengths of the
    latent and the fine-tuning loop; the support is evaluated once per step of either, so a loop
    of U + F steps needs U + F masks, and the published code's last two draws that feed nothing
    are left out.
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
def draw(shapes, dropout_rate, seed):
    """Draw the noise of one step.

    All bits come from one call of a counter-based generator, and XLA turns them into normals
    and masks with vector instructions: on a CPU a third of the time of the plain ops.

    Args:
      shapes: a `Noise` of static shapes; None for masks that are not wanted.
      dropout_rate: python float in [0, 1).
      seed: int32 [2]; the noise is a function of it.

    Returns:
      A `Noise` of float32 normals and bool masks.
    """
    kinds = {name: _normal if name in ("latent", "decoder") else _mask for name in shapes._fields}
    wanted = [(n, s, kinds[n]) for n, s in shapes._asdict().items() if s is not None]
    words = [math.prod(s) if kind is _normal else -(-math.prod(s) // 2) for _, s, kind in wanted]
    # Threefry is the fast generator under XLA.
    bits = tf.random.stateless_uniform([sum(words)], seed, None, None, tf.int32, alg="threefry")
    drawn = {
        name: kind(part, shape, dropout_rate)
        for (name, shape, kind), part in zip(wanted, tf.split(bits, words), strict=True)
    }
    return Noise(**{name: drawn.get(name) for name in shapes._fields})


def _normal(bits, shape, _):
    """Standard normals, by inverting their distribution function at 24 random bits."""
    uniform = (tf.cast(tf.bitwise.right_shift(bits, 8), tf.float32) + 0.5) * 2.0**-23
    return tf.reshape(math.sqrt(2.0) * tf.math.erfinv(uniform), shape)


def _mask(bits, shape, dropout_rate):
    """Bernoulli masks from the two halves of each word: the rate is met to 1 in 65536."""
    dropped = round(dropout_rate * 2**16)
    low = tf.bitwise.bitwise_and(bits, 2**16 - 1) >= dropped
    high = tf.bitwise.right_shift(bits, 16) >= dropped - 2**15  # a signed shift
    return tf.reshape(tf.concat([low, high], axis=0)[: math.prod(shape)], shape)
