"""The Hessian of any loss, task by task: whole, or by its products with vectors.

A task's loss depends on its own row of the points alone, so that one pass differentiates all.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from leo_tf.meta.lanczos import lanczos

Loss = Callable[[tf.Tensor], tf.Tensor]  # points [tasks, size] -> [tasks]

WHOLE = 2048  # the largest size whose Hessians are computed whole
STEPS = 256  # of Lanczos's method, for larger ones
SURE = 1e-6  # of the largest: how near to an eigenvalue what these find must be to count
AT_ONCE = 2**24  # numbers, of Hessians or of vectors, that are in memory together


class Spectrum(NamedTuple):
    """Eigenvalues of Hessians."""

    values: np.ndarray  # [tasks, n]; NaN where there is none
    finite: np.ndarray  # bool [tasks]: whether the Hessian is
    complete: np.ndarray  # bool [tasks]: whether all others are zero


def gradient(loss: Loss, points: tf.Tensor) -> tf.Tensor:
    """Gradient of each task's loss at its point, [tasks, size]."""
    with tf.GradientTape() as tape:
        tape.watch(points)
        total = tf.reduce_sum(loss(points))
    return tape.gradient(total, points, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def product(loss: Loss, points: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
    """Product of each task's Hessian with a vector of its own: [tasks, size]."""
    with tf.GradientTape() as tape:
        tape.watch(points)
        slopes = gradient(loss, points)
    unconnected = tf.UnconnectedGradients.ZERO
    return tape.gradient(slopes, points, vectors, unconnected_gradients=unconnected)


def hessian(loss: Loss, points: tf.Tensor) -> tf.Tensor:
    """Second derivatives of each task's loss at its point: [tasks, size, size]."""
    with tf.GradientTape() as tape:
        tape.watch(points)
        slopes = gradient(loss, points)
    return tape.batch_jacobian(slopes, points, unconnected_gradients=tf.UnconnectedGradients.ZERO)


class Curvature:
    """Eigenvalues of the Hessians of a loss that depends on a batch of tasks.

    Args:
      loss_at: takes a batch, a structure of tensors [tasks, ...], and returns the `Loss` of its
        tasks and the points, [tasks, size].
      whole: the largest size whose Hessians are computed whole; larger ones by Lanczos's method.
      steps: of that.
    """

    def __init__(
        self,
        loss_at: Callable[..., tuple[Loss, tf.Tensor]],
        whole: int = WHOLE,
        steps: int = STEPS,
    ) -> None:
        self._whole, self._steps = whole, steps
        plain = {"autograph": False}
        self._points = tf.function(lambda *batch: loss_at(*batch)[1], **plain)
        self._hessians = tf.function(lambda *batch: hessian(*loss_at(*batch)), **plain)
        self._product = tf.function(lambda v, *batch: product(*loss_at(*batch), v), **plain)

    def __call__(self, *batch: Any) -> Spectrum:
        """Return the eigenvalues of a batch's Hessians, those of each task in ascending order."""
        tasks, size = self._points(*batch).shape
        full = size <= self._whole
        at_once = max(1, AT_ONCE // (size * (size if full else self._steps)))
        parts = []
        for start in range(0, tasks, at_once):
            part = tf.nest.map_structure(lambda x, a=start: x[a : a + at_once], batch)
            parts.append(self._of_whole(part) if full else self._of_products(part, size))
        return Spectrum(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def _of_whole(self, batch):
        matrices = self._hessians(*batch).numpy().astype(np.float64)
        finite = np.isfinite(matrices).all(axis=(1, 2))
        matrices[~finite] = 0.0
        values = np.linalg.eigvalsh(matrices)
        values[~finite] = np.nan
        return values, finite, finite

    def _of_products(self, batch, size):
        tasks = len(tf.nest.flatten(batch)[0])
        dtype = self._points(*batch).dtype

        def multiply(vectors):
            return self._product(tf.constant(vectors, dtype), *batch).numpy().astype(np.float64)

        values, residuals, complete = lanczos(multiply, tasks, size, self._steps)
        finite = np.isfinite(residuals).all(axis=1)
        largest = np.abs(values).max(axis=1, keepdims=True)
        values[~(residuals <= SURE * largest)] = np.nan
        # As many for each task, so that the parts of a batch fit together.
        padding = ((0, 0), (0, self._steps - values.shape[1]))
        return np.pad(values, padding, constant_values=np.nan), finite, complete
