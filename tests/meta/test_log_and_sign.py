"""Gradients as small networks read them."""

import numpy as np
import tensorflow as tf

from leo_tf.meta.log_and_sign import log_and_sign


def test_small_numbers_are_linear_and_great_ones_logarithmic():
    small = np.exp(-10)
    numbers = [0.0, -np.exp(-12), small, -small, np.exp(-4), -1.0, np.exp(3)]
    expected = [
        [-1, 0],
        [-1, -np.exp(-2)],
        [-1, 1],
        [-1, -1],
        [-0.4, 1],
        [0, -1],
        [0.3, 1],
    ]
    found = log_and_sign(tf.constant(numbers, tf.float64))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
