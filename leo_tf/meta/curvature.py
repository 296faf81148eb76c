"""The curvature of a linear softmax classifier's loss in its weights, and what is made of it.

That of the summed cross-entropy of a support is sum_i (diag p_i - p_i p_i^T) (x) x_i x_i^T, p_i the
probabilities of the classes for example i: A^T A, whose factor A has a row for each pair of an
example and a class, far fewer than there are weights.
"""

import tensorflow as tf


def output_roots(logits: tf.Tensor) -> tf.Tensor:
    """Return R of R R^T = diag(p) - p p^T, the curvature in logits: [tasks, examples, way, way]."""
    logs = tf.nn.log_softmax(logits)
    root = tf.exp(logs / 2)  # not the root of p, whose slope at an underflow to 0 is infinite
    return tf.linalg.diag(root) - tf.exp(logs)[..., tf.newaxis] * root[..., tf.newaxis, :]


def gram(inputs: tf.Tensor, roots: tf.Tensor) -> tf.Tensor:
    """Return A A^T of a support, [tasks, examples * way, examples * way].

    Args:
      inputs: [tasks, examples, dim].
      roots: `output_roots` of their logits.
    """
    size = tf.shape(inputs)[1] * roots.shape[-1]
    products = tf.einsum("tick,tjcm,tid,tjd->tikjm", roots, roots, inputs, inputs)
    return tf.reshape(products, [-1, size, size])


def laplace_deviations(inputs: tf.Tensor, roots: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Return (I + A^T A)^-1/2 times normals: draws from N(0, H^-1), H = I + A^T A the curvature.

    With A A^T = U diag(s) U^T, the root is I - A^T U diag(1 / (r (1 + r))) U^T A, r = sqrt(1 + s).

    Args:
      inputs: [tasks, examples, dim].
      roots: `output_roots` of their logits.
      noise: standard normals, [samples, way, dim], the same for all tasks.

    Returns:
      [tasks, samples, way, dim].
    """
    squares, vectors = tf.linalg.eigh(gram(inputs, roots))
    root = tf.sqrt(1.0 + tf.nn.relu(squares))
    along = tf.einsum("tick,tid,scd->tsik", roots, inputs, noise)
    sizes = tf.shape(along)
    flat = tf.reshape(along, [sizes[0], sizes[1], -1])
    shrunk = (flat @ vectors) / (root * (1.0 + root))[:, tf.newaxis]
    shrunk = tf.reshape(tf.matmul(shrunk, vectors, transpose_b=True), sizes)
    return noise - tf.einsum("tick,tid,tsik->tscd", roots, inputs, shrunk)
