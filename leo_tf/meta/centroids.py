"""The nearest class mean as a linear classifier."""

import tensorflow as tf

from leo_tf.meta.presence import as_mask, mean_of_examples, zero_absent


def nearest_centroid(
    support: tf.Tensor, present: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Classify by the nearest class mean of the support, as a linear classifier.

    Args:
      support: [tasks, way, shot, dim].
      present: which examples there are, [tasks, way, shot]; None for all.

    Returns:
      Weights [tasks, way, dim] and biases [tasks, way]; their scores rank the classes like the
      negative squared Euclidean distance to the centroids.
    """
    if present is not None:
        present = as_mask(present, support)
        support = zero_absent(support, present)
    centroids = mean_of_examples(support, present)
    return centroids, -0.5 * tf.reduce_sum(tf.square(centroids), axis=-1)
