"""Multinomial logistic regression with an L2 penalty, fitted to many support sets at once.

Newton's method in the span of the support. Its systems, of one unknown for each pair of an example
and a class, fall apart into one for each class and one more, all of the size of the support
(Rasmussen & Williams 2006, section 3.5: the same problem as the mode of a Gaussian process).
"""

import tensorflow as tf

from leo_tf.meta.span import Span, span_of

TOLERANCE = 1e-6  # of the gradient's norm, in the weights
MOST_STEPS = 100
STRETCHES = tuple(0.5**power for power in range(12))  # of a Newton step, of which the best is taken


def softmax_regression(
    support: tf.Tensor, inverse_penalty: float, present: tf.Tensor | None = None
) -> tf.Tensor:
    """Fit weights without intercept: minimise sum_i CE(W x_i, y_i) + |W|^2 / (2 C).

    Computed in float64: in float32 the gradient does not come as near to zero as it is to.

    Args:
      support: [tasks, way, shot, dim].
      inverse_penalty: C, above 0.
      present: which examples there are, [tasks, way, shot]; None for all.

    Returns:
      W, [tasks, way, dim], of the type of `support`. The gradient's norm is at most `TOLERANCE`,
      unless that took more than `MOST_STEPS` steps.
    """
    span = span_of(tf.cast(support, tf.float64), present)
    span = span._replace(gram=inverse_penalty * span.gram)  # now W = C A^T X, and A -> Y - P

    def goes_on(step, coefficients, norms):
        return (step < MOST_STEPS) & tf.reduce_any(norms > TOLERANCE)

    def body(step, coefficients, norms):
        coefficients = _newton_step(span, coefficients)
        return step + 1, coefficients, _gradient_norms(span, coefficients, inverse_penalty)

    start = tf.zeros_like(span.targets)
    norms = _gradient_norms(span, start, inverse_penalty)
    _, coefficients, _ = tf.while_loop(goes_on, body, (0, start, norms))
    return tf.cast(span.weights(inverse_penalty * coefficients), support.dtype)


def _gradient_norms(span: Span, coefficients, inverse_penalty):
    """Norms of the gradients in W, [tasks]: that of X^T (P - Y + A)."""
    slopes = coefficients - span.targets + _probabilities(span, span.gram @ coefficients)
    squares = tf.reduce_sum(slopes * (span.gram @ slopes), axis=[1, 2]) / inverse_penalty
    return tf.sqrt(tf.nn.relu(squares))


def _probabilities(span, scores):
    return span.counted * tf.nn.softmax(scores)


def _objective(span, coefficients, scores):
    """What is minimised, [tasks]."""
    likelihoods = tf.reduce_sum(span.targets * tf.nn.log_softmax(scores), axis=[1, 2])
    return 0.5 * tf.reduce_sum(coefficients * scores, axis=[1, 2]) - likelihoods


def _newton_step(span, coefficients):
    """Go along the Newton step as far as is best of `STRETCHES`."""
    direction = _newton_target(span, coefficients) - coefficients
    scores, change = span.gram @ coefficients, span.gram @ direction
    tried = tf.stack(
        [
            _objective(span, coefficients + part * direction, scores + part * change)
            for part in STRETCHES
        ]
    )
    best = tf.gather(tf.constant(STRETCHES, tf.float64), tf.argmin(tried, axis=0))
    return coefficients + best[:, tf.newaxis, tf.newaxis] * direction


def _newton_target(span, coefficients):
    """Return the coefficients at which the objective's second-order expansion is smallest.

    Those are the A with A + H G A = b, where H, the curvature in the scores, is diag(p) - p p^T of
    each example, and b = H F + Y - P at the scores F = G A of now.
    """
    scores = span.gram @ coefficients
    p = _probabilities(span, scores)
    b = p * (scores - tf.reduce_sum(p * scores, axis=-1, keepdims=True)) + span.targets - p
    roots = tf.sqrt(tf.transpose(p, [0, 2, 1]))[..., tf.newaxis]  # [tasks, way, n, 1]
    gram = span.gram[:, tf.newaxis]
    size = tf.shape(gram)[-1]
    of_class = tf.eye(size, dtype=p.dtype) + roots * gram * tf.linalg.matrix_transpose(roots)
    # E = D^1/2 (I + D^1/2 G D^1/2)^-1 D^1/2 of each class, D = diag(p).
    e = roots * tf.linalg.cholesky_solve(
        tf.linalg.cholesky(of_class), tf.linalg.diag(roots[..., 0])
    )
    absent = tf.linalg.diag(1.0 - span.counted[..., 0])
    common = tf.linalg.cholesky(tf.reduce_sum(e, axis=1) + absent)
    c = tf.einsum("tnij,tjn->tin", e, span.gram @ b)
    shared = tf.linalg.cholesky_solve(common, tf.reduce_sum(c, axis=-1, keepdims=True))
    return b - c + tf.einsum("tnij,tj->tin", e, shared[..., 0])
