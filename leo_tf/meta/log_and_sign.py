"""Numbers of very different sizes, such as gradients, as a small network can read them."""

import math

import tensorflow as tf

POWER = 10.0  # p: numbers below e^-p in size count as small


def log_and_sign(numbers: tf.Tensor, axis: int = -1) -> tf.Tensor:
    """Return each number as two, on a new axis: [..., 2] where it is the last.

    (log |g| / p, sign g) where |g| >= e^-p, else (-1, e^p g), p = 10: Andrychowicz et al. 2016
    (arXiv 1606.04474, appendix A).
    """
    size, smallest = tf.abs(numbers), math.exp(-POWER)
    logs = tf.math.log(tf.maximum(size, smallest)) / POWER
    signs = tf.where(size >= smallest, tf.sign(numbers), numbers / smallest)
    return tf.stack([logs, signs], axis=axis)
