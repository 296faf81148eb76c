"""Fine-tuning alone, which LEO's ablation talks of: a linear classifier learned from a task's few.

W, one vector a class and no bias, starts at zero and takes S steps of gradient descent on the mean
of the support's cross-entropies: W <- W - rate * (softmax(X W^T) - Y)^T X / (N K). Rate and S are
chosen on other classes; nothing else is learned from them.

No step leaves the span of the support, in which they are taken: W = A^T X.
"""

import functools

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config.methods.fine_tuning import FineTuningSettings
from leo_tf.meta.classifier import Classifier
from leo_tf.meta.span import span_of


def fine_tuned(
    support: tf.Tensor, steps: int, rate: float, present: tf.Tensor | None = None
) -> tf.Tensor:
    """Take gradient steps from zero on the mean cross-entropy of support sets.

    Args:
      support: [tasks, way, shot, dim].
      steps, rate: of the descent.
      present: which examples there are, [tasks, way, shot]; None for all.

    Returns:
      Weights [tasks, way, dim].
    """
    span = span_of(support, present)
    rates = rate / tf.reduce_sum(span.counted, axis=1, keepdims=True)

    def step(number, coefficients):
        probabilities = tf.nn.softmax(span.gram @ coefficients)  # absent examples weigh nothing
        return number + 1, coefficients - rates * (probabilities - span.targets)

    _, coefficients = tf.while_loop(
        lambda number, _: number < steps, step, (0, tf.zeros_like(span.targets))
    )
    return span.weights(coefficients)


def build(settings: FineTuningSettings, train: EmbeddingSet) -> Classifier:
    """Make the classifier; nothing is trained."""
    return Classifier(
        functools.partial(fine_tuned, steps=settings.descent_steps, rate=settings.descent_rate)
    )
