"""Random 32-bit words: a hash of (seed, use, position), without a state.

A counter-based generator, as Threefry and Philox are, made for a processor's vector instructions:
a tenth of Threefry's instructions, and none of a 64-bit product. A word is the exclusive or of two
permutations of its position, each of two rounds of mixing under a key of its own; the four keys are
a hash of the seed and the use. One permutation alone would never repeat a word.

It is no cryptography. tests/meta/test_words.py holds it to what training noise must be.
"""

import functools
import math
import zlib
from collections.abc import Sequence

import tensorflow as tf

_STRIDE = 0x9E3779B9  # 2^32 over the golden ratio: tells keys apart in all their bits


def random_words(seed: tf.Tensor, use: str, shape: Sequence[int]) -> tf.Tensor:
    """Draw words, a function of the arguments alone.

    Args:
      seed: int32 [2], all bits of which count.
      use: what they are for; the words of different uses are independent.
      shape: of the result, fewer than 2^31 words.

    Returns:
      uint32 [*shape], uniform. A word depends on its position in row-major order, not on `shape`.

    Raises:
      ValueError: if the shape has 2^31 words or more.
    """
    count = math.prod(shape)
    if count >= 2**31:
        raise ValueError(
            f"{use}: {count:,} random words are too many for one step; lower the sizes"
        )
    low, high = tf.unstack(tf.bitcast(seed, tf.uint32))
    keys = _keys(low[..., tf.newaxis], high[..., tf.newaxis], use)
    return _words(tuple(shape))(*keys)


def words_at(seed: tf.Tensor, use: str, *indices: tf.Tensor) -> tf.Tensor:
    """Draw a word for each combination of indices, however many there are when it runs.

    Args:
      seed, use: see `random_words`.
      indices: for each axis of the result its indices, int32 [size].

    Returns:
      uint32 of the indices' sizes.
    """
    low, high = tf.unstack(tf.bitcast(seed, tf.uint32))
    keys = _keys(low[tf.newaxis], high[tf.newaxis], use)
    position = constant(0)
    for index in indices:
        position = _mixed(position[..., tf.newaxis] + tf.bitcast(index, tf.uint32))
    return _permuted(position, *keys[:2]) ^ _permuted(position, *keys[2:])


def constant(value: int | Sequence[int]) -> tf.Tensor:
    """Return unsigned 32-bit numbers."""
    return tf.constant(value, tf.uint32)


def _keys(low, high, use):
    """Hash a seed and a use to four keys; together the keys hold all of the seed."""
    numbers = range(1, 5)
    of_seed = _mixed(low + constant([_STRIDE * number % 2**32 for number in numbers])) ^ high
    of_use = constant([zlib.crc32(f"{use}/{number}".encode()) for number in numbers])
    return tf.unstack(_mixed(_mixed(of_seed) + of_use), axis=-1)


@functools.lru_cache(maxsize=64)
def _words(shape):
    """Return the function from four keys to words; one for all uses of a shape, to trace once."""

    def words(*keys):
        position = tf.bitcast(tf.reshape(tf.range(math.prod(shape)), shape), tf.uint32)
        return _permuted(position, *keys[:2]) ^ _permuted(position, *keys[2:])

    return tf.function(words, autograph=False)


def _permuted(word, first, second):
    return _mixed(_mixed(word ^ first) + second)


def _mixed(word):
    """Permute all words so that each bit of the result depends on every bit."""
    # Shifts and odd factors found by Wellons and others to leave the least bias of all tried.
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        word ^= tf.bitwise.right_shift(word, constant(shift))
        word *= constant(factor)
    return word ^ tf.bitwise.right_shift(word, constant(15))
