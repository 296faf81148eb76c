"""The regularisers of the meta-objective, R of the paper (equation 7)."""

from collections.abc import Sequence

import tensorflow as tf


def l2_penalty(kernels: Sequence[tf.Tensor]) -> tf.Tensor:
    """Half the sum of squares of all entries, a scalar."""
    return tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])


def orthogonality_penalty(kernel: tf.Tensor) -> tf.Tensor:
    """Mean square of the correlations between the rows of a matrix, less the identity.

    The published code takes the mean of squares where the paper writes a norm.

    Args:
      kernel: [rows, columns], the decoder's matrix.

    Returns:
      A scalar; 0 when the rows are orthogonal.
    """
    products = tf.matmul(kernel, kernel, transpose_b=True)
    norms = tf.norm(kernel, axis=1, keepdims=True) + 1e-32
    correlations = products / (norms * tf.transpose(norms))
    return tf.reduce_mean(tf.square(correlations - tf.eye(kernel.shape[0], dtype=kernel.dtype)))
