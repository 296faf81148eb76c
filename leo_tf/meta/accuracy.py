"""When an answer counts as right: the one definition that training, validation and tests share."""

import tensorflow as tf


def are_right(scores: tf.Tensor, own: tf.Tensor, is_own: tf.Tensor, axis: int) -> tf.Tensor:
    """Tell queries whose own class's score is finite and greater than that of every other class.

    So a query is wrong about classes of equal scores, and wherever a NaN takes part.

    Args:
      scores: scores of the queries, the classes along `axis`.
      own: the score of each query's own class, of the shape of `scores` without that axis.
      is_own: bool, which of the scores that is; broadcast to the shape of `scores`.
      axis: of the classes.

    Returns:
      bool, of the shape of `own`.
    """
    beaten = (tf.expand_dims(own, axis) > scores) | is_own
    return tf.math.is_finite(own) & tf.reduce_all(beaten, axis)


def share_right(scores: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Share of a task's queries that are right, see `are_right`.

    Args:
      scores: [tasks, n, way].
      labels: integers [tasks, n].

    Returns:
      float32 [tasks], in [0, 1].
    """
    way = tf.shape(scores)[-1]
    is_own = tf.one_hot(labels, way, on_value=True, off_value=False, dtype=tf.bool)
    own = tf.reduce_sum(tf.where(is_own, scores, tf.zeros_like(scores)), axis=-1)
    right = are_right(scores, own, is_own, -1)
    return tf.reduce_mean(tf.cast(right, tf.float32), axis=1)
