"""Episodes: few-shot tasks drawn from a set of embeddings, as `tf.data` pipelines."""

from typing import NamedTuple

import tensorflow as tf


class Episodes(NamedTuple):
    """A batch of tasks. For classification, a label is the class's position in its episode."""

    support: tf.Tensor  # [tasks, way, shot, dim]
    support_labels: tf.Tensor  # int32 [tasks, way, shot]
    query: tf.Tensor  # [tasks, way, queries, dim]
    query_labels: tf.Tensor  # int32 [tasks, way, queries]


def class_labels(shape):
    """Label examples grouped by class with the position of their class.

    Args:
      shape: (tasks, way, examples).

    Returns:
      int32 [tasks, way, examples].
    """
    return tf.broadcast_to(tf.range(shape[1])[:, tf.newaxis], shape)
