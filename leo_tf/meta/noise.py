"""The random numbers of one training step: a model declares them, `draw` draws them."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping

import tensorflow as tf

from data_pipeline.streams import stream_seed
from leo_tf.meta.words import constant, random_words, words_at


@dataclasses.dataclass(frozen=True)
class Normal:
    """A declaration of standard normal numbers, [tasks, ...]."""

    shape: tuple[int, ...]

    def of_words(self, words: tf.Tensor) -> tf.Tensor:
        """Make float32 normals, by inverting their distribution function at 24 random bits."""
        bits = tf.bitwise.right_shift(tf.bitcast(words, tf.int32), 8)  # signed
        return math.sqrt(2.0) * tf.math.erfinv((tf.cast(bits, tf.float32) + 0.5) * 2.0**-23)


@dataclasses.dataclass(frozen=True)
class Mask:
    """A declaration of a dropout mask, [tasks, ...]: True where a unit is kept."""

    shape: tuple[int, ...]
    rate: float  # share of the units that are dropped, in [0, 1); met to 1 in 2^32

    def of_words(self, words: tf.Tensor) -> tf.Tensor:
        """Make a bool mask, of a word for each unit."""
        return words >= constant(min(round(self.rate * 2**32), 2**32 - 1))


@dataclasses.dataclass(frozen=True)
class Uniform:
    """A declaration of uniform numbers in [0, 1), [tasks, ...]."""

    shape: tuple[int, ...]

    def of_words(self, words: tf.Tensor) -> tf.Tensor:
        """Make float32 numbers of 24 random bits each."""
        bits = tf.bitcast(tf.bitwise.right_shift(words, constant(8)), tf.int32)
        return tf.cast(bits, tf.float32) * 2.0**-24


@dataclasses.dataclass(frozen=True)
class Order:
    """A declaration of random orders of things, [tasks, ..., things]."""

    shape: tuple[int, ...]

    def of_words(self, words: tf.Tensor) -> tf.Tensor:
        """Make int32 permutations of the numbers of the things, over the last axis."""
        return tf.argsort(tf.bitcast(words, tf.int32), axis=-1, stable=True)


@dataclasses.dataclass(frozen=True)
class Step:
    """A declaration of the number of the step, for what follows a schedule: int32 [tasks]."""

    shape: tuple[int, ...]


# What a model declares, by name: one array, or a tuple of them, one for each of several uses.
One = Normal | Mask | Uniform | Order | Step
Declared = One | tuple[One, ...]
Noise = Mapping[str, tf.Tensor | tuple[tf.Tensor, ...]]  # the same, drawn


def draw(
    spec: Mapping[str, Declared], seed: int, step: int | tf.Tensor, stream: str = "train"
) -> Noise:
    """Draw the noise of one training step, a function of its arguments alone.

    Every number is a function of (stream, seed, step, its name, its position in the array), so
    that an array is the same whatever else is drawn, and the first tasks of a larger batch are
    those of a smaller one.

    Args:
      spec: what to draw, as `MetaModel.noise_spec` declares it.
      seed: integer.
      step: integer, or an integer scalar tensor.
      stream: name of what is trained; different names are independent.

    Returns:
      {name: tensor, or a tuple of tensors}, with the names of `spec`.
    """
    if not spec:
        return {}
    drawn = _compiled(tuple(spec.items()))
    return drawn(stream_seed(f"{stream}/noise", seed, step), tf.cast(step, tf.int32))


@functools.lru_cache(maxsize=64)
def _compiled(items: tuple[tuple[str, Declared], ...]) -> Callable[[tf.Tensor, tf.Tensor], dict]:
    """Return the compiled function from a step's seed, int32 [2], and its number to its noise.

    Compiled, words and what is made of them stay in registers: a third of the time of plain ops.
    """

    def of_seed(seed, step):
        return {name: _drawn(name, wanted, seed, step) for name, wanted in items}

    return tf.function(of_seed, jit_compile=True, autograph=False)


def _drawn(name, wanted, seed, step):
    if isinstance(wanted, tuple):
        return tuple(_drawn(f"{name}/{i}", one, seed, step) for i, one in enumerate(wanted))
    if isinstance(wanted, Step):
        return tf.fill(wanted.shape, step)
    return wanted.of_words(random_words(seed, name, wanted.shape))


def fixed_normals(use: str, *sizes: int | tf.Tensor) -> tf.Tensor:
    """Return normals that are the same in every call, for models that draw when evaluated, too.

    Args:
      use: what they are for; those of different uses are independent.
      sizes: of the result, integers or integer scalar tensors.

    Returns:
      float32 [*sizes]. A number depends on its indices, not on the sizes.
    """
    words = words_at(tf.zeros([2], tf.int32), use, *(tf.range(size) for size in sizes))
    return Normal(()).of_words(words)


def dropout(inputs: tf.Tensor, keep: tf.Tensor, rate: float) -> tf.Tensor:
    """Zero the units where `keep` is 0 and scale the others by 1 / (1 - rate)."""
    return inputs * (tf.cast(keep, inputs.dtype) / (1.0 - rate))
