"""The random numbers of one training step: a model declares them, `draw` draws them."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

from data_pipeline.streams import stream_seed


class Normal(NamedTuple):
    """A declaration of standard normal numbers."""

    shape: tuple[int, ...]

    @property
    def words(self) -> int:
        """Number of 32-bit words that they take."""
        return math.prod(self.shape)

    def of_bits(self, bits: tf.Tensor) -> tf.Tensor:
        """Make float32 normals, by inverting their distribution function at 24 random bits."""
        uniform = (tf.cast(tf.bitwise.right_shift(bits, 8), tf.float32) + 0.5) * 2.0**-23
        return tf.reshape(math.sqrt(2.0) * tf.math.erfinv(uniform), self.shape)


class Mask(NamedTuple):
    """A declaration of a dropout mask: True where a unit is kept."""

    shape: tuple[int, ...]
    rate: float  # share of the units that are dropped, in [0, 1); met to 1 in 65536

    @property
    def words(self) -> int:
        """Number of 32-bit words that it takes: two units share one."""
        return -(-math.prod(self.shape) // 2)

    def of_bits(self, bits: tf.Tensor) -> tf.Tensor:
        """Make a bool mask from the two halves of each word."""
        dropped = round(self.rate * 2**16)
        low = tf.bitwise.bitwise_and(bits, 2**16 - 1) >= dropped
        high = tf.bitwise.right_shift(bits, 16) >= dropped - 2**15  # a signed shift
        return tf.reshape(tf.concat([low, high], axis=0)[: math.prod(self.shape)], self.shape)


def draw(
    spec: Mapping[str, Normal | Mask], seed: int, step: int | tf.Tensor, stream: str = "train"
) -> dict[str, tf.Tensor]:
    """Draw the noise of one training step, a function of its arguments alone.

    Args:
      spec: what to draw, as `MetaModel.noise_spec` declares it.
      seed: integer.
      step: integer, or an integer scalar tensor.
      stream: name of what is trained; different names are independent.

    Returns:
      {name: tensor}, with the names of `spec`.
    """
    if not spec:
        return {}
    return _draw(dict(spec), stream_seed(f"{stream}/noise", seed, step))


@tf.function(jit_compile=True)
def _draw(spec, seed):
    """Draw what `spec` declares, in its order, a function of the seed, int32 [2].

    All bits come from one call of a counter-based generator, and XLA turns them into normals
    and masks with vector instructions: on a CPU a third of the time of the plain ops.
    """
    words = [wanted.words for wanted in spec.values()]
    # Threefry is the fast generator under XLA.
    bits = tf.random.stateless_uniform([sum(words)], seed, None, None, tf.int32, alg="threefry")
    parts = tf.split(bits, words)
    return {
        name: wanted.of_bits(part) for (name, wanted), part in zip(spec.items(), parts, strict=True)
    }


def dropout(inputs: tf.Tensor, keep: tf.Tensor, rate: float) -> tf.Tensor:
    """Zero the units where `keep` is 0 and scale the others by 1 / (1 - rate)."""
    return inputs * (tf.cast(keep, inputs.dtype) / (1.0 - rate))
