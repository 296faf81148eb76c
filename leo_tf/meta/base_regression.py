"""Softmax regression on all images of a set at once: its classes are the base classes."""

import numpy as np
import scipy.optimize
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.normalisation import normalise_data

ROWS = 2**15  # images at a time
MOST_STEPS = 1000
TOLERANCE = 1e-6  # of the largest entry of the gradient


def base_regression(train: EmbeddingSet, penalty: float) -> np.ndarray:
    """Fit weights without intercept: minimise mean_i CE(W x_i, y_i) + penalty |W|^2 / 2.

    By L-BFGS. The objective is strictly convex, so that the start does not matter. Gradients of
    blocks are of float32, their sums and all else of float64.

    Args:
      train: raw embeddings, which are normalised here, a block at a time.
      penalty: above 0.

    Returns:
      W, float64 [classes, dim].
    """
    shape = train.num_classes, train.dim
    labels = tf.constant(np.repeat(np.arange(shape[0], dtype=np.int32), train.counts))
    embeddings = train.tensor()

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = tf.constant(flat.reshape(shape), tf.float32)
        loss, slope = 0.0, np.zeros(shape)
        for start in range(0, len(train), ROWS):
            block = embeddings[start : start + ROWS], labels[start : start + ROWS]
            of_block, slope_of_block = _loss_and_gradient(weights, *block)
            loss += float(of_block)
            slope += slope_of_block.numpy()
        value = loss / len(train) + 0.5 * penalty * float(flat @ flat)
        return value, slope.ravel() / len(train) + penalty * flat

    found = scipy.optimize.minimize(
        objective,
        np.zeros(shape[0] * shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": MOST_STEPS, "gtol": TOLERANCE, "ftol": 0.0, "maxcor": 20},
    )
    return found.x.reshape(shape)


@tf.function(reduce_retracing=True, autograph=False)
def _loss_and_gradient(weights, raw, labels):
    """Summed cross-entropy of images, and its gradient in the weights."""
    images = normalise_data(raw)
    scores = tf.matmul(images, weights, transpose_b=True)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores)
    residual = tf.nn.softmax(scores) - tf.one_hot(labels, tf.shape(scores)[1])
    return (
        tf.reduce_sum(tf.cast(losses, tf.float64)),
        tf.matmul(residual, images, transpose_a=True),
    )
