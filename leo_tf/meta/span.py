"""Linear classifiers in the span of a support set: weights that are sums of its examples.

Gradient descent from zero, and what a penalty on the weights' length makes smallest, never leave
the span: W = A^T X for coefficients A, one of each example and class. The scores of the examples
are then G A with the Gram matrix G = X X^T, of the size of the support and not of an embedding.
"""

from typing import NamedTuple

import tensorflow as tf

from leo_tf.meta.presence import as_mask, zero_absent


class Span(NamedTuple):
    """Support sets with their examples in one row; n is way * shot."""

    points: tf.Tensor  # [tasks, n, dim], X; absent examples are zero
    gram: tf.Tensor  # [tasks, n, n], G
    targets: tf.Tensor  # [tasks, n, way], one-hot labels; zero for absent examples
    counted: tf.Tensor  # [tasks, n, 1], 1 for an example that there is, 0 for another

    def weights(self, coefficients: tf.Tensor) -> tf.Tensor:
        """Return the weights of classes, A^T X: [tasks, way, dim], given A [tasks, n, way]."""
        return tf.matmul(coefficients, self.points, transpose_a=True)


def span_of(support: tf.Tensor, present: tf.Tensor | None = None) -> Span:
    """Return the span of support sets.

    Args:
      support: [tasks, way, shot, dim].
      present: which examples there are, [tasks, way, shot]; None for all.
    """
    if present is not None:
        present = as_mask(present, support)
        support = zero_absent(support, present)
    tasks, way, shot, dim = tf.unstack(tf.shape(support))
    points = tf.reshape(support, [tasks, way * shot, dim])
    points = tf.ensure_shape(points, [support.shape[0], None, support.shape[3]])
    one_hot = tf.repeat(tf.eye(way, dtype=support.dtype), shot, axis=0)
    counted = tf.ones([tasks, way * shot, 1], support.dtype)
    if present is not None:
        counted = tf.cast(tf.reshape(present, [tasks, way * shot, 1]), support.dtype)
    return Span(points, tf.matmul(points, points, transpose_b=True), one_hot * counted, counted)
