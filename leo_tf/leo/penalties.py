"""The regularisers of the meta-objective, R of the paper (equation 7)."""

from collections.abc import Sequence

import tensorflow as tf

from data_pipeline.normalisation import normalise


def l2_penalty(kernels: Sequence[tf.Tensor]) -> tf.Tensor:
    """Half the sum of squares of all entries, a scalar."""
    return tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])


def orthogonality_penalty(kernel: tf.Tensor) -> tf.Tensor:
    """Mean square of the correlations between the rows of a matrix, less the identity.

    The published code takes the mean of squares where the paper writes a norm.

    Args:
      kernel: [rows, columns], the decoder's matrix.

    Returns:
      A scalar; 0 when the rows are orthogonal. A row of zeros correlates with nothing.
    """
    # The published code divides by the products of the norms + 1e-32, which vanish in float32.
    rows = normalise(tf.convert_to_tensor(kernel))
    identity = tf.eye(kernel.shape[0], dtype=kernel.dtype)
    return tf.reduce_mean(tf.square(_products_of_rows(rows) - identity))


@tf.custom_gradient
def _products_of_rows(rows):
    """Return rows rows^T, whose gradient by the usual rule would be two products that are one."""

    def gradient(upstream):
        return tf.matmul(upstream + tf.transpose(upstream), rows)

    return tf.matmul(rows, rows, transpose_b=True), gradient
